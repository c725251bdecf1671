import { digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { MetadataInput, MissedCopy, NodeRepairs, RepairClaim, RepairEntry } from "@ashlar/sdk/ports";
import { insertNewRepairs } from "./chunk-rows.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession, SqlValue } from "./sql-session.ts";

interface ChunkRow {
  readonly chunk_id: Uint8Array;
  readonly size_bytes: number;
  readonly layout_version: number;
}

interface RepairRow extends ChunkRow {
  readonly repair_id: string;
  readonly server_id: string;
  readonly attempts: number;
  readonly last_error: string | null;
}

const COLUMNS = "repair_id, chunk_id, size_bytes, server_id, layout_version, attempts, last_error";

/** A chunk that the collector has marked needs no copies: the row becomes live again, and is noted again, if it is still wanted. */
export async function queueRepairs(session: SqlSession, copies: readonly MissedCopy[]): Promise<number> {
  const rows = await queryIn<ChunkRow>(
    session,
    copies.map(({ chunkId }) => chunkId),
    {
      sql: (list) => `SELECT chunk_id, size_bytes, layout_version FROM chunks
        WHERE chunk_id IN (${list}) AND state = 'live' AND reference_count > 0`,
    },
  );
  const known = new Map(rows.map((row) => [encodeHex(row.chunk_id), row]));
  const missed = copies.flatMap(({ chunkId, nodeId, layoutVersions }) => {
    const row = known.get(encodeHex(chunkId));
    if (row === undefined || !layoutVersions.includes(row.layout_version)) return [];
    return [{ chunkId, nodeId, sizeBytes: row.size_bytes, layoutVersion: row.layout_version }];
  });
  return await insertNewRepairs(session, missed);
}

/** A claim moves the time at which an entry is due to the end of the lease: who looks for work sees one column, and a dead worker's entries come back. */
export async function claimRepairs(
  session: SqlSession,
  { nodeId, limit, leaseMs }: MetadataInput<"claimRepairs">,
): Promise<RepairClaim> {
  const leaseToken = session.newId();
  const nowMs = await session.nowMs();
  const rows = await session.query<RepairRow>(
    `SELECT ${COLUMNS} FROM repair_queue WHERE server_id = $1 AND due_at_ms <= $2
      ORDER BY due_at_ms, repair_id LIMIT $3 ${session.dialect.forUpdateSkipLocked}`,
    [nodeId, nowMs, limit],
  );
  await queryIn(
    session,
    rows.map((row) => row.repair_id),
    {
      params: [nowMs + leaseMs, leaseToken],
      sql: (list) => `UPDATE repair_queue SET due_at_ms = $1, lease_token = $2 WHERE repair_id IN (${list})`,
    },
  );
  return { leaseToken, entries: rows.map(entryOf) };
}

export async function finishRepairs(
  session: SqlSession,
  { leaseToken, outcomes }: MetadataInput<"finishRepairs">,
): Promise<number> {
  const done = outcomes.filter(({ retryInMs }) => retryInMs === undefined);
  const deleted = await queryIn(
    session,
    done.map(({ repairId }) => repairId),
    {
      params: [leaseToken],
      sql: (list) => `DELETE FROM repair_queue WHERE lease_token = $1 AND repair_id IN (${list}) RETURNING 1 AS ended`,
    },
  );
  const nowMs = await session.nowMs();
  const updates = outcomes.flatMap(({ repairId, retryInMs, error }) => {
    if (retryInMs === undefined) return [];
    const params: SqlValue[] = [repairId, leaseToken, nowMs + retryInMs, error === undefined ? 0 : 1, error ?? null];
    return session.query(
      `UPDATE repair_queue SET lease_token = NULL, due_at_ms = $3, attempts = attempts + $4,
        last_error = coalesce($5, last_error) WHERE repair_id = $1 AND lease_token = $2 RETURNING 1 AS ended`,
      params,
    );
  });
  const updated = await Promise.all(updates);
  return deleted.length + updated.reduce((sum, rows) => sum + rows.length, 0);
}

export async function listRepairs(
  session: SqlSession,
  { limit, nodeId, afterRepairId = "", minAttempts = 0 }: MetadataInput<"listRepairs">,
): Promise<readonly RepairEntry[]> {
  const ofNode = nodeId === undefined ? "" : "server_id = $4 AND";
  const rows = await session.query<RepairRow>(
    `SELECT ${COLUMNS} FROM repair_queue WHERE ${ofNode} repair_id > $2 AND attempts >= $3 ORDER BY repair_id LIMIT $1`,
    [limit, afterRepairId, minAttempts, ...(nodeId === undefined ? [] : [nodeId])],
  );
  return rows.map(entryOf);
}

interface CountRow {
  readonly server_id: string;
  readonly waiting: number;
  readonly bytes: number;
  readonly claimed: number;
  readonly failing: number;
}

export async function countRepairs(session: SqlSession): Promise<readonly NodeRepairs[]> {
  const rows = await session.query<CountRow>(
    `SELECT server_id, count(*) AS waiting, sum(size_bytes) AS bytes,
        sum(CASE WHEN lease_token IS NOT NULL AND due_at_ms > ${session.dialect.nowMs} THEN 1 ELSE 0 END) AS claimed,
        sum(CASE WHEN attempts >= ${LIMITS.REPAIR_FAILING_ATTEMPTS} THEN 1 ELSE 0 END) AS failing
      FROM repair_queue GROUP BY server_id`,
  );
  return rows.map((row) => ({
    nodeId: row.server_id,
    count: row.waiting,
    sizeBytes: row.bytes,
    claimedCount: row.claimed,
    failingCount: row.failing,
  }));
}

function entryOf(row: RepairRow): RepairEntry {
  return {
    repairId: row.repair_id,
    chunkId: digestFromBytes(row.chunk_id),
    sizeBytes: row.size_bytes,
    nodeId: row.server_id,
    layoutVersion: row.layout_version,
    attempts: row.attempts,
    ...(row.last_error !== null && { lastError: row.last_error }),
  };
}
