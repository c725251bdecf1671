import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import type { LostCopiesStep } from "@ashlar/sdk/ports";
import { insertNewRepairs, insertRepairs, type MissedReplica } from "./chunk-rows.ts";
import { placementReader, readNewestLayout } from "./layout-rows.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

interface ChunkRow {
  readonly chunk_id: Uint8Array;
  readonly size_bytes: number;
  readonly layout_version: number;
  readonly state: string;
}

interface WalkedNode {
  readonly server_id: string;
  readonly lost_cursor: string;
}

/** One bounded transaction of the walk for the node that lost its disk first. Another worker takes another node, or waits for its next round. */
export async function queueLostCopies(
  session: SqlSession,
  { limit }: { readonly limit: number },
): Promise<LostCopiesStep> {
  const [node] = await session.query<WalkedNode>(
    `SELECT server_id, lost_cursor FROM storage_servers WHERE lost_at_ms IS NOT NULL AND lost_cursor IS NOT NULL
      ORDER BY lost_at_ms, server_id LIMIT 1 ${session.dialect.forUpdateSkipLocked}`,
  );
  if (node === undefined) {
    await forgetRestored(session);
    return { rowsWalked: 0, copiesQueued: 0, isDone: true };
  }
  const { server_id: nodeId, lost_cursor: cursor } = node;
  const rows = await session.query<ChunkRow>(
    "SELECT chunk_id, size_bytes, layout_version, state FROM chunks WHERE chunk_id > $1 ORDER BY chunk_id LIMIT $2",
    [Buffer.from(cursor, "hex"), limit],
  );
  const last = rows.at(-1);
  const lastId = last === undefined ? cursor : encodeHex(last.chunk_id);
  const lost = await lostOf(session, nodeId, rows);
  await insertRepairs(session, lost);
  await session.query("UPDATE storage_servers SET lost_cursor = $2 WHERE server_id = $1", [
    nodeId,
    rows.length < limit ? null : lastId,
  ]);
  return { rowsWalked: rows.length, copiesQueued: lost.length, isDone: false };
}

/**
 * The chunks that belong on the node by the layout of each row, or by the newest one: rebalance may have found the copy there, and be about to move the
 * row. A commit that takes a collected chunk back queues its copies itself.
 */
async function lostOf(
  session: SqlSession,
  nodeId: string,
  rows: readonly ChunkRow[],
): Promise<readonly MissedReplica[]> {
  const placementOf = placementReader(session);
  const newest = await readNewestLayout(session);
  const lost: MissedReplica[] = [];
  for (const { chunk_id, size_bytes: sizeBytes, layout_version: layoutVersion, state } of rows) {
    if (state === "collecting") continue;
    const chunkId = digestFromBytes(chunk_id);
    const belongsBy = async (version = 0): Promise<boolean> =>
      (await placementOf(version))?.nodesOf(chunkId).includes(nodeId) === true;
    if (layoutVersion === 0) continue;
    if (!(await belongsBy(layoutVersion)) && !(await belongsBy(newest?.layoutVersion))) continue;
    lost.push({ chunkId, sizeBytes, nodeId, layoutVersion });
  }
  return lost;
}

/** Queues copies that a node put aside, if they belong there and an object names their chunks. An entry that is there already stays as it is. */
export async function queueDamagedCopies(
  session: SqlSession,
  nodeId: string,
  chunkIds: readonly Digest[],
): Promise<void> {
  const rows = await queryIn<ChunkRow>(session, chunkIds, {
    sql: (list) => `SELECT chunk_id, size_bytes, layout_version, state FROM chunks
      WHERE chunk_id IN (${list}) AND reference_count > 0`,
  });
  await insertNewRepairs(session, await lostOf(session, nodeId, rows));
}

/** Nodes whose last copy is restored have their disk back. */
async function forgetRestored(session: SqlSession): Promise<void> {
  await session.query(
    `UPDATE storage_servers SET lost_at_ms = NULL, lost_kind = NULL, lost_chunk_count = NULL, lost_bytes_used = NULL
      WHERE lost_at_ms IS NOT NULL AND lost_cursor IS NULL
        AND NOT EXISTS (SELECT 1 FROM repair_queue r WHERE r.server_id = storage_servers.server_id)`,
  );
}
