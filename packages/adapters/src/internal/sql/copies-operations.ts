import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import type { ChunkCopies, CopiesPage, ExaminationQuery } from "@ashlar/sdk/ports";
import { type CopyHolder, copiesOfChunk, createCopiesTally } from "../metadata/copies.ts";
import { nodeState } from "../metadata/node-state.ts";
import { placementReader } from "./layout-rows.ts";
import { queryIn } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

interface HolderRow {
  readonly server_id: string;
  readonly stopped: boolean | number;
  readonly last_heartbeat_at_ms: number;
  readonly lost_cursor: string | null;
  readonly now_ms: number;
}

interface GroupRow {
  readonly layout_version: number;
  readonly prefix: Uint8Array;
  readonly chunks: number;
}

interface QueuedRow {
  readonly chunk_id: Uint8Array;
  readonly server_id: string;
  readonly layout_version: number;
  readonly stand_in_id: string | null;
}

/**
 * Counts a page of chunk rows. Where a chunk belongs depends on its layout and its first 12 bits only, so the database counts groups of rows; only
 * the chunks of the repair queue are looked at one by one.
 */
export async function countCopies(session: SqlSession, { cursor = "", limit }: ExaminationQuery): Promise<CopiesPage> {
  const from = Buffer.from(cursor, "hex");
  const [end] = await session.query<{ chunk_id: Uint8Array }>(
    "SELECT chunk_id FROM chunks WHERE chunk_id > $1 ORDER BY chunk_id LIMIT 1 OFFSET $2",
    [from, limit - 1],
  );
  const to = end === undefined ? undefined : Uint8Array.from(end.chunk_id);
  const range = (column: string): string => `${column} > $1 ${to === undefined ? "" : `AND ${column} <= $2`}`;
  const params = to === undefined ? [from] : [from, to];
  const { head } = session.dialect;
  const groups = await session.query<GroupRow>(
    `SELECT layout_version, ${head("chunk_id", "2")} AS prefix, count(*) AS chunks FROM chunks
      WHERE ${range("chunk_id")} AND reference_count > 0 AND layout_version > 0 GROUP BY 1, 2`,
    params,
  );
  const queued = await session.query<QueuedRow>(
    `SELECT r.chunk_id, r.server_id, r.stand_in_id, c.layout_version FROM repair_queue r JOIN chunks c ON c.chunk_id = r.chunk_id
      WHERE ${range("r.chunk_id")} AND c.reference_count > 0 AND c.layout_version > 0`,
    params,
  );
  const holders = await readHolders(session);
  const placementOf = placementReader(session);
  const tally = createCopiesTally();
  for (const { layout_version, prefix, chunks } of groups) {
    const placement = await placementOf(layout_version);
    if (placement === undefined) continue;
    tally.add(copiesOfChunk({ ...groupOf(prefix), placement, ...WHOLE }, holders), chunks);
  }
  for (const { row, missing, standIns } of byChunk(queued)) {
    const placement = await placementOf(row.layout_version);
    if (placement === undefined) continue;
    const group = groupOf(row.chunk_id.subarray(0, PREFIX_BYTES));
    tally.add(copiesOfChunk({ ...group, placement, ...WHOLE }, holders), -1);
    tally.add(copiesOfChunk({ ...group, placement, missing, standIns }, holders), 1);
  }
  return tally.page(to === undefined ? undefined : encodeHex(to));
}

const PREFIX_BYTES = 2;
const NONE: ReadonlySet<string> = new Set();
/** What the repair queue says of a chunk that it has not. */
const WHOLE = { missing: NONE, standIns: NONE };

/** A group of chunks that begin alike. Its hex is after that of its chunks: where a walk after a lost disk is in the group, none of it counts. */
function groupOf(prefix: Uint8Array): { readonly chunkId: Digest; readonly chunkHex: string } {
  const bytes = new Uint8Array(32).fill(0xff);
  bytes.set(prefix);
  return { chunkId: digestFromBytes(bytes), chunkHex: encodeHex(bytes) };
}

export async function copiesOf(
  session: SqlSession,
  chunkIds: readonly Digest[],
): Promise<ReadonlyArray<ChunkCopies | undefined>> {
  const rows = await queryIn<{ chunk_id: Uint8Array; layout_version: number }>(session, chunkIds, {
    sql: (list) => `SELECT chunk_id, layout_version FROM chunks WHERE chunk_id IN (${list})`,
  });
  const versions = new Map(rows.map((row) => [encodeHex(row.chunk_id), row.layout_version]));
  const queued = await queryIn<QueuedRow>(session, chunkIds, {
    sql: (list) =>
      `SELECT chunk_id, server_id, stand_in_id, 0 AS layout_version FROM repair_queue WHERE chunk_id IN (${list})`,
  });
  const entries = new Map(byChunk(queued).map((entry) => [encodeHex(entry.row.chunk_id), entry]));
  const holders = await readHolders(session);
  const placementOf = placementReader(session);
  const copies: (ChunkCopies | undefined)[] = [];
  for (const chunkId of chunkIds) {
    const chunkHex = encodeHex(chunkId);
    const placement = await placementOf(versions.get(chunkHex) ?? 0);
    const { missing, standIns } = entries.get(chunkHex) ?? WHOLE;
    copies.push(placement && copiesOfChunk({ chunkId, chunkHex, placement, missing, standIns }, holders));
  }
  return copies;
}

/** What the repair queue says of one chunk. */
interface QueuedChunk {
  readonly row: QueuedRow;
  readonly missing: Set<string>;
  readonly standIns: Set<string>;
}

/** The entries of the repair queue, by chunk. */
function byChunk(rows: readonly QueuedRow[]): readonly QueuedChunk[] {
  const found = new Map<string, QueuedChunk>();
  for (const row of rows) {
    const id = encodeHex(row.chunk_id);
    const entry = found.get(id) ?? { row, missing: new Set<string>(), standIns: new Set<string>() };
    entry.missing.add(row.server_id);
    if (row.stand_in_id !== null) entry.standIns.add(row.stand_in_id);
    found.set(id, entry);
  }
  return [...found.values()];
}

async function readHolders(session: SqlSession): Promise<ReadonlyMap<string, CopyHolder>> {
  const rows = await session.query<HolderRow>(
    `SELECT server_id, stopped, last_heartbeat_at_ms, lost_cursor, ${session.dialect.nowMs} AS now_ms FROM storage_servers`,
  );
  return new Map(
    rows.map((row) => {
      const state = nodeState(
        { stopped: Boolean(row.stopped), lastHeartbeatAtMs: row.last_heartbeat_at_ms },
        row.now_ms,
      );
      return [row.server_id, { nodeId: row.server_id, isUp: state === "up", lostCursor: row.lost_cursor ?? undefined }];
    }),
  );
}
