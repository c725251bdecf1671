import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import { decodeSegment, type SegmentChunk } from "@ashlar/sdk/manifest";
import type { CollectingChunk } from "@ashlar/sdk/ports";
import { replicasUnder } from "../metadata/replicas-under.ts";
import { insertRepairs, lowerChunks } from "./chunk-rows.ts";
import { forgetFinished } from "./finished-operations.ts";
import { readLayout } from "./layout-rows.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

/** Segments of one step: some 4,000 chunk rows, so that a step holds its locks for tens of ms. */
const STEP_SEGMENTS = 4;
/** Parts and manifests that one step looks at. */
const STEP_ROWS = 64;

/** No object and no upload names it. Its count and its time of release are not trusted: they may be damaged. */
const UNNAMED_MANIFEST = `NOT EXISTS (SELECT 1 FROM objects o WHERE o.manifest_id = m.manifest_id)
  AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.upload_id = m.manifest_id)`;

/** It was never placed in an object, and if its upload is still open, another part took its place there. */
const UNUSED_PART = `p.start_offset IS NULL AND (NOT EXISTS (SELECT 1 FROM uploads u WHERE u.upload_id = p.manifest_id)
  OR EXISTS (SELECT 1 FROM manifest_parts q
    WHERE q.manifest_id = p.manifest_id AND q.part_number = p.part_number AND q.released_at_ms IS NULL))`;

interface SegmentRow {
  readonly part_id: string;
  readonly start_offset: number;
  readonly data: Uint8Array;
}

/** What one step did: how many units (manifests, or parts that never became part of one) are now gone, and whether anything changed at all. */
export interface DropStep {
  readonly droppedCount: number;
  readonly progressed: boolean;
}

/** One bounded transaction of dropping what was released; call it until it makes no progress. */
export async function dropReleasedStep(
  session: SqlSession,
  query: { readonly graceMs: number; readonly limit: number },
): Promise<DropStep> {
  const nowMs = await session.nowMs();
  const border = nowMs - query.graceMs;
  const { forUpdateSkipLocked } = session.dialect;
  const moreFinished = await forgetFinished(session);
  const looseParts = await session.query<{ part_id: string }>(
    `SELECT part_id FROM manifest_parts p WHERE released_at_ms <= $1 AND ${UNUSED_PART} ORDER BY released_at_ms LIMIT $2 ${forUpdateSkipLocked}`,
    [border, Math.min(query.limit, STEP_ROWS)],
  );
  const manifests = await session.query<{ manifest_id: string }>(
    `SELECT manifest_id FROM manifests m WHERE released_at_ms <= $1 AND ${UNNAMED_MANIFEST} ORDER BY released_at_ms LIMIT $2 ${forUpdateSkipLocked}`,
    [border, Math.min(query.limit - looseParts.length, STEP_ROWS)],
  );
  const manifestIds = manifests.map((row) => row.manifest_id);
  // From here on nobody reads them: otherwise a page with missing segments would not be noticed.
  await queryIn(session, manifestIds, {
    sql: (list) => `UPDATE manifests SET state = 'dropping' WHERE manifest_id IN (${list})`,
  });
  const manifestParts = await partsOf(session, manifestIds);
  const partIds = [...new Set([...looseParts, ...manifestParts].map((row) => row.part_id))];
  const emptiedParts = await dropSegments(session, partIds);
  await queryIn(session, [...emptiedParts], { sql: (list) => `DELETE FROM manifest_parts WHERE part_id IN (${list})` });
  const gone = await queryIn(session, manifestIds, {
    sql: (list) => `DELETE FROM manifests WHERE manifest_id IN (${list})
      AND NOT EXISTS (SELECT 1 FROM manifest_parts p WHERE p.manifest_id = manifests.manifest_id) RETURNING 1 AS gone`,
  });
  const looseGone = looseParts.filter((row) => emptiedParts.has(row.part_id)).length;
  return {
    droppedCount: gone.length + looseGone,
    progressed: moreFinished || looseParts.length + manifests.length > 0,
  };
}

/** The first parts of the first manifests, as many as a step looks at. */
async function partsOf(session: SqlSession, manifestIds: readonly string[]): Promise<readonly { part_id: string }[]> {
  const parts: { part_id: string }[] = [];
  for (const manifestId of manifestIds) {
    if (parts.length >= STEP_ROWS) break;
    const rows = await session.query<{ part_id: string }>(
      "SELECT part_id FROM manifest_parts WHERE manifest_id = $1 LIMIT $2",
      [manifestId, STEP_ROWS],
    );
    parts.push(...rows);
  }
  return parts;
}

/** Drops segments of these parts within the bound of a step and lowers their chunks. @returns the parts that have none left. */
async function dropSegments(session: SqlSession, partIds: readonly string[]): Promise<ReadonlySet<string>> {
  const emptied = new Set<string>();
  const segments: SegmentRow[] = [];
  for (const partId of partIds) {
    const left = STEP_SEGMENTS - segments.length;
    if (left === 0) break;
    const rows = await session.query<SegmentRow>(
      "SELECT part_id, start_offset, data FROM manifest_segments WHERE part_id = $1 ORDER BY start_offset LIMIT $2",
      [partId, left + 1],
    );
    if (rows.length <= left) emptied.add(partId);
    segments.push(...rows.slice(0, left));
  }
  await lowerChunks(
    session,
    segments.flatMap((segment) => chunksOf(segment)),
  );
  for (const segment of segments) {
    await session.query("DELETE FROM manifest_segments WHERE part_id = $1 AND start_offset = $2", [
      segment.part_id,
      segment.start_offset,
    ]);
  }
  return emptied;
}

/** Chunks that a damaged segment named keep their counts, and so their bytes: nobody knows which they were, and the collection must go on. */
function chunksOf({ part_id, start_offset, data }: SegmentRow): readonly SegmentChunk[] {
  try {
    return decodeSegment(data, { partId: part_id, startOffset: start_offset });
  } catch (error) {
    if (AshlarError.is(error, "METADATA_CORRUPT")) return [];
    throw error;
  }
}

interface ChunkRow {
  readonly chunk_id: Uint8Array;
  readonly size_bytes: number;
  readonly layout_version: number;
  readonly reference_count: number;
}

export async function markCollecting(
  session: SqlSession,
  query: { readonly graceMs: number; readonly limit: number },
): Promise<readonly CollectingChunk[]> {
  const nowMs = await session.nowMs();
  const due = await session.query<ChunkRow>(
    `SELECT chunk_id, size_bytes, layout_version FROM chunks WHERE reference_count = 0 AND idle_since_ms <= $1
      ORDER BY idle_since_ms LIMIT $2 ${session.dialect.forUpdateSkipLocked}`,
    [nowMs - query.graceMs, query.limit],
  );
  await queryIn(
    session,
    due.map((row) => row.chunk_id),
    {
      params: [nowMs],
      sql: (list) => `UPDATE chunks SET state = 'collecting', idle_since_ms = $1 WHERE chunk_id IN (${list})`,
    },
  );
  return due.map((row) => ({
    chunkId: digestFromBytes(row.chunk_id),
    sizeBytes: row.size_bytes,
    layoutVersion: row.layout_version,
  }));
}

export async function finishCollecting(
  session: SqlSession,
  outcomes: ReadonlyArray<{ readonly chunkId: Digest; readonly removed: boolean }>,
): Promise<readonly Digest[]> {
  const removed = outcomes.filter((outcome) => outcome.removed).map((outcome) => outcome.chunkId);
  const kept = outcomes.filter((outcome) => !outcome.removed).map((outcome) => outcome.chunkId);
  await queryIn(session, removed, {
    sql: (list) => `DELETE FROM chunks WHERE chunk_id IN (${list}) AND state = 'collecting'`,
  });
  await queryIn(session, kept, {
    params: [await session.nowMs()],
    sql: (list) =>
      `UPDATE chunks SET state = 'live', idle_since_ms = $1 WHERE chunk_id IN (${list}) AND state = 'collecting'`,
  });
  // A row that is still there was set live by a commit meanwhile; its replicas may be gone, so all are restored.
  const revived = await queryIn<ChunkRow>(session, removed, {
    sql: (list) =>
      `SELECT chunk_id, size_bytes, layout_version, reference_count FROM chunks WHERE chunk_id IN (${list})`,
  });
  await queueRevived(
    session,
    revived.filter((row) => row.reference_count > 0),
  );
  const present = new Set(revived.map((row) => encodeHex(row.chunk_id)));
  return removed.filter((chunkId) => !present.has(encodeHex(chunkId)));
}

async function queueRevived(session: SqlSession, rows: readonly ChunkRow[]): Promise<void> {
  for (const row of rows) {
    const layout = await readLayout(session, row.layout_version);
    if (layout === undefined) continue;
    const chunkId = digestFromBytes(row.chunk_id);
    const replicas = replicasUnder(layout, chunkId);
    const { size_bytes: sizeBytes, layout_version: layoutVersion } = row;
    await insertRepairs(
      session,
      replicas.map((nodeId) => ({ chunkId, sizeBytes, nodeId, layoutVersion })),
    );
  }
}

export async function knowsChunks(session: SqlSession, chunkIds: readonly Digest[]): Promise<readonly boolean[]> {
  const rows = await queryIn<{ chunk_id: Uint8Array }>(session, chunkIds, {
    sql: (list) => `SELECT chunk_id FROM chunks WHERE chunk_id IN (${list})`,
  });
  const known = new Set(rows.map((row) => encodeHex(row.chunk_id)));
  return chunkIds.map((chunkId) => known.has(encodeHex(chunkId)));
}
