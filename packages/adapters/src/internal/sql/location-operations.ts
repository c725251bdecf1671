import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import type { ExaminationQuery, LayoutAdvance, LayoutUse, OutdatedChunkPage } from "@ashlar/sdk/ports";
import { layoutUnknown } from "../metadata/not-found.ts";
import { placementReader } from "./layout-rows.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

interface OutdatedRow {
  readonly chunk_id: Uint8Array;
  readonly size_bytes: number;
  readonly layout_version: number;
  readonly reference_count: number;
}

const NEWEST = "(SELECT max(layout_version) FROM layouts)";
/** What something names and no collector has marked. */
const IN_USE = "state = 'live' AND reference_count > 0";

/**
 * Walks over a range of all rows, in the order of their ids: an index that has outdated rows in an order would cost every commit, for the few days in
 * which a layout changes. When no row is outdated, one look at the index of layouts says so.
 */
export async function listOutdatedChunks(
  session: SqlSession,
  { cursor = "", limit }: ExaminationQuery,
): Promise<OutdatedChunkPage> {
  const [any] = await session.query<{ found: number }>(
    `SELECT 1 AS found FROM chunks WHERE layout_version > 0 AND layout_version < ${NEWEST} LIMIT 1`,
  );
  if (any === undefined) return { chunks: [] };
  const from = Buffer.from(cursor, "hex");
  const [end] = await session.query<{ chunk_id: Uint8Array }>(
    "SELECT chunk_id FROM chunks WHERE chunk_id > $1 ORDER BY chunk_id LIMIT 1 OFFSET $2",
    [from, limit - 1],
  );
  const to = end === undefined ? undefined : Uint8Array.from(end.chunk_id);
  const rows = await session.query<OutdatedRow>(
    `SELECT chunk_id, size_bytes, layout_version, reference_count FROM chunks WHERE chunk_id > $1 ${to === undefined ? "" : "AND chunk_id <= $2"}
      AND layout_version > 0 AND layout_version < ${NEWEST} AND state = 'live' ORDER BY chunk_id`,
    to === undefined ? [from] : [from, to],
  );
  const chunks = rows.map((row) => ({
    chunkId: digestFromBytes(row.chunk_id),
    sizeBytes: row.size_bytes,
    layoutVersion: row.layout_version,
    ...(row.reference_count > 0 ? {} : { isNamed: false as const }),
  }));
  return to === undefined ? { chunks } : { chunks, nextCursor: encodeHex(to) };
}

/** Rows that a commit or a collector holds are left for the next time. */
export async function advanceLayouts(session: SqlSession, { layoutVersion, chunks }: LayoutAdvance): Promise<number> {
  const placement = await placementReader(session)(layoutVersion);
  if (placement === undefined) throw layoutUnknown(layoutVersion);
  const seen = new Map(chunks.map((chunk) => [encodeHex(chunk.chunkId), chunk]));
  const rows = await queryIn<OutdatedRow>(
    session,
    chunks.map(({ chunkId }) => chunkId),
    {
      sql: (list) => `SELECT chunk_id, size_bytes, layout_version, reference_count FROM chunks
        WHERE chunk_id IN (${list}) AND state = 'live'
        ORDER BY chunk_id ${session.dialect.forUpdateSkipLocked}`,
    },
  );
  const moved = rows
    .filter((row) => {
      const { layoutVersion: version, isNamed = true } = seen.get(encodeHex(row.chunk_id)) ?? {};
      // What a commit names again since was placed by that commit, perhaps under the same older layout.
      return version === row.layout_version && isNamed === row.reference_count > 0;
    })
    .map((row) => Uint8Array.from(row.chunk_id));
  await queryIn(session, moved, {
    params: [layoutVersion],
    sql: (list) => `UPDATE chunks SET layout_version = $1 WHERE chunk_id IN (${list})`,
  });
  const queued = await queryIn<{ repair_id: string; chunk_id: Uint8Array; server_id: string }>(session, moved, {
    sql: (list) => `SELECT repair_id, chunk_id, server_id FROM repair_queue WHERE chunk_id IN (${list})`,
  });
  const [kept, dropped]: [string[], string[]] = [[], []];
  for (const { repair_id: repairId, chunk_id: chunkId, server_id: nodeId } of queued)
    (placement.nodesOf(digestFromBytes(chunkId)).includes(nodeId) ? kept : dropped).push(repairId);
  await queryIn(session, dropped, { sql: (list) => `DELETE FROM repair_queue WHERE repair_id IN (${list})` });
  await queryIn(session, kept, {
    params: [layoutVersion],
    sql: (list) => `UPDATE repair_queue SET layout_version = $1 WHERE repair_id IN (${list})`,
  });
  return moved.length;
}

export async function settledLayouts(
  session: SqlSession,
  chunkIds: readonly Digest[],
): Promise<ReadonlyArray<number | undefined>> {
  const rows = await queryIn<{ chunk_id: Uint8Array; layout_version: number }>(session, chunkIds, {
    sql: (
      list,
    ) => `SELECT chunk_id, layout_version FROM chunks c WHERE chunk_id IN (${list}) AND ${IN_USE} AND layout_version > 0
      AND NOT EXISTS (SELECT 1 FROM repair_queue r WHERE r.chunk_id = c.chunk_id)
      AND NOT EXISTS (SELECT 1 FROM storage_servers WHERE lost_at_ms IS NOT NULL AND lost_cursor IS NOT NULL)`,
  });
  const versions = new Map(rows.map((row) => [encodeHex(row.chunk_id), row.layout_version]));
  return chunkIds.map((chunkId) => versions.get(encodeHex(chunkId)));
}

export async function countLayoutUse(session: SqlSession): Promise<readonly LayoutUse[]> {
  const rows = await session.query<{ layout_version: number; chunks: number }>(
    `SELECT layout_version, count(*) AS chunks FROM chunks WHERE layout_version > 0 AND ${IN_USE}
      GROUP BY layout_version ORDER BY layout_version DESC`,
  );
  return rows.map((row) => ({ layoutVersion: row.layout_version, chunkCount: row.chunks }));
}
