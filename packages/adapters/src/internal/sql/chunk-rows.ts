import { bytesEqual, type Digest } from "@ashlar/sdk/hash";
import type { ChunkRef, CommittedChunk } from "@ashlar/sdk/ports";
import { chunkSizeDiffers, layoutUnknown } from "../metadata/not-found.ts";
import { insertRows, insertStatements, queryIn, type RowInsertion } from "./row-batches.ts";
import type { SqlSession, SqlStatement, SqlValue } from "./sql-session.ts";

/** A chunk with how often a list names it. */
interface CountedChunk {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  /** The newest layout by which the list says that it was placed. */
  layoutVersion: number;
  count: number;
}

const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Counts equal chunks, in ascending order of their ids: the order in which every transaction locks chunk rows, so none deadlocks. */
function countChunks(chunks: readonly CommittedChunk[]): CountedChunk[] {
  const sorted = [...chunks].sort((a, b) => compareBytes(a.chunkId, b.chunkId));
  const counted: CountedChunk[] = [];
  for (const { chunkId, sizeBytes, layoutVersion = 0 } of sorted) {
    const last = counted.at(-1);
    if (last !== undefined && bytesEqual(last.chunkId, chunkId)) {
      if (last.sizeBytes !== sizeBytes) throw chunkSizeDiffers();
      last.layoutVersion = Math.max(last.layoutVersion, layoutVersion);
      last.count++;
    } else counted.push({ chunkId, sizeBytes, layoutVersion, count: 1 });
  }
  return counted;
}

const CHUNK_COLUMNS = "chunks (chunk_id, size_bytes, reference_count, state, layout_version, idle_since_ms)";

/**
 * Raises the counts of the chunks of a commit: inserts or updates rows in order of their ids, sets collecting rows live again, and queues missed
 * replicas for repair. The caller checks the layouts: {@link assertLayoutsKnown}.
 *
 * The layout of a row moves forward only. But a row that nothing named takes the layout of the commit in any case: a collector may have deleted some
 * of its replicas, and only those that the commit claimed are sure to exist.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the list has two sizes for one chunk; the statements throw it if a size differs from the row's.
 */
export async function raiseStatements(
  session: SqlSession,
  chunks: readonly CommittedChunk[],
): Promise<readonly SqlStatement[]> {
  const counted = countChunks(chunks);
  const raised = insertStatements(
    session.dialect,
    {
      into: CHUNK_COLUMNS,
      otherwise: chunkSizeDiffers,
      suffix: `ON CONFLICT (chunk_id) DO UPDATE SET
        reference_count = chunks.reference_count + excluded.reference_count,
        state = excluded.state,
        layout_version = CASE WHEN chunks.state <> 'collecting' AND chunks.reference_count > 0
          AND chunks.layout_version > excluded.layout_version THEN chunks.layout_version ELSE excluded.layout_version END,
        idle_since_ms = NULL
        WHERE chunks.size_bytes = excluded.size_bytes
        RETURNING 1 AS raised`,
    },
    counted.map(({ chunkId, sizeBytes, count, layoutVersion }) => [
      chunkId,
      sizeBytes,
      count,
      "live",
      layoutVersion,
      null,
    ]),
  );
  const missed = chunks.flatMap(({ chunkId, sizeBytes, layoutVersion = 0, missedNodeIds = [], standInNodeIds = [] }) =>
    missedNodeIds.map((nodeId, index) => ({
      ...{ chunkId, sizeBytes, nodeId, layoutVersion },
      standInId: standInNodeIds[index],
    })),
  );
  const repairs = await repairRows(session, missed);
  return [...raised, ...insertStatements(session.dialect, REPAIRS, repairs)];
}

/** A row of a layout that was written. */
interface LayoutRow {
  readonly layout_version: number;
}

/** The layouts that chunks name and that were written: for {@link assertLayoutsKnown}. */
export function selectLayouts(session: SqlSession, chunks: readonly CommittedChunk[]): Promise<readonly LayoutRow[]> {
  return queryIn<LayoutRow>(session, layoutsOf(chunks), {
    sql: (list) => `SELECT layout_version FROM layouts WHERE layout_version IN (${list})`,
  });
}

/** @throws {AshlarError} LAYOUT_STALE for a layout that was never written. */
export function assertLayoutsKnown(chunks: readonly CommittedChunk[], known: readonly LayoutRow[]): void {
  const found = new Set(known.map((row) => row.layout_version));
  const unknown = layoutsOf(chunks).find((version) => !found.has(version));
  if (unknown !== undefined) throw layoutUnknown(unknown);
}

/** Chunks of a store that has no layouts name none. */
function layoutsOf(chunks: readonly CommittedChunk[]): number[] {
  return [...new Set(chunks.map(({ layoutVersion = 0 }) => layoutVersion))].filter((version) => version > 0);
}

/**
 * Lowers the counts; rows that nothing names any more begin to age. A row is always there: it was raised before. A count that is too low is damage:
 * it stays at 0, and the collector looks whether something still names the chunk.
 */
export async function lowerChunks(session: SqlSession, chunks: readonly ChunkRef[]): Promise<void> {
  const nowMs = await session.nowMs();
  await insertRows(
    session,
    {
      into: CHUNK_COLUMNS,
      suffix: `ON CONFLICT (chunk_id) DO UPDATE SET
        reference_count = CASE WHEN chunks.reference_count > excluded.reference_count
          THEN chunks.reference_count - excluded.reference_count ELSE 0 END,
        idle_since_ms = CASE WHEN chunks.reference_count <= excluded.reference_count THEN excluded.idle_since_ms ELSE NULL END`,
    },
    countChunks(chunks).map(({ chunkId, sizeBytes, count }) => [chunkId, sizeBytes, count, "live", 0, nowMs]),
  );
}

/** A replica to restore. */
export interface MissedReplica {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  readonly nodeId: string;
  readonly layoutVersion: number;
  /** The node that holds the copy instead. */
  readonly standInId?: string | undefined;
}

/**
 * Queues replicas for repair, each chunk and node once. A new miss gives an older entry a new id, so that finishing the older repair
 * does not hide it, and is free at once: what a worker that has it does now may have come too early, and its claim may outlast its work by minutes.
 */
const REPAIRS: RowInsertion = {
  into: "repair_queue (chunk_id, server_id, repair_id, size_bytes, layout_version, created_at_ms, due_at_ms, stand_in_id)",
  suffix: `ON CONFLICT (chunk_id, server_id) DO UPDATE SET repair_id = excluded.repair_id,
    due_at_ms = excluded.due_at_ms, lease_token = NULL, stand_in_id = COALESCE(excluded.stand_in_id, repair_queue.stand_in_id),
    layout_version = CASE WHEN repair_queue.layout_version > excluded.layout_version THEN repair_queue.layout_version ELSE excluded.layout_version END`,
};

/** Queues replicas for repair now. */
export async function insertRepairs(session: SqlSession, missed: readonly MissedReplica[]): Promise<void> {
  await insertRows(session, REPAIRS, await repairRows(session, missed));
}

/** Queues replicas for repair that are not queued yet. @returns how many. */
export async function insertNewRepairs(session: SqlSession, missed: readonly MissedReplica[]): Promise<number> {
  const insertion = { into: REPAIRS.into, suffix: "ON CONFLICT (chunk_id, server_id) DO NOTHING RETURNING repair_id" };
  return (await insertRows(session, insertion, await repairRows(session, missed))).length;
}

async function repairRows(session: SqlSession, missed: readonly MissedReplica[]): Promise<SqlValue[][]> {
  if (missed.length === 0) return [];
  const nowMs = await session.nowMs();
  const rows = new Map<string, SqlValue[]>();
  for (const { chunkId, sizeBytes, nodeId, layoutVersion, standInId = null } of missed) {
    const name = `${Buffer.from(chunkId).toString("hex")} ${nodeId}`;
    if (rows.has(name)) continue;
    rows.set(name, [chunkId, nodeId, session.newId(), sizeBytes, layoutVersion, nowMs, nowMs, standInId]);
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
