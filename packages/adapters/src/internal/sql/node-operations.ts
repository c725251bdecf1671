import {
  type ClusterSnapshot,
  changedLayout,
  type Heartbeat,
  type HeartbeatAnswer,
  type Layout,
  type LayoutChange,
  type LayoutDefaults,
  type LayoutHistory,
  type LayoutNode,
  type LostDisk,
  type LostDiskKind,
  type MetadataInput,
  type NodeRecord,
  type NodeRegistration,
  nodeNotFound,
  type RegisteredNode,
} from "@ashlar/sdk/ports";
import { virtualNodeCount, virtualNodeToken } from "@ashlar/sdk/ring";
import { assertForgettable, forgottenDisk } from "../metadata/forgotten-nodes.ts";
import { layoutWithNode, layoutWithoutNode, nodeIdHeld } from "../metadata/layout-changes.ts";
import { diskLost, isRefused, newLostDisk } from "../metadata/lost-disk.ts";
import { NODE_DOWN_AFTER_MS, nodeState } from "../metadata/node-state.ts";
import { insertLayout, readLayoutsInUse, readNewestLayout, readRecentLayouts } from "./layout-rows.ts";
import { queueDamagedCopies } from "./lost-copies.ts";
import { insertRows } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

interface NodeRow {
  readonly server_id: string;
  readonly url: string;
  readonly zone: string | null;
  readonly weight: number;
  readonly software_version: string;
  readonly stopped: boolean;
  readonly removed_from_layout: boolean;
  readonly left_out: boolean;
  readonly registered_at_ms: number;
  readonly last_heartbeat_at_ms: number;
  readonly chunk_count: number | null;
  readonly bytes_used: number | null;
  readonly bytes_free: number | null;
  readonly bytes_total: number | null;
  readonly folder_id: string | null;
  readonly lost_at_ms: number | null;
  readonly lost_kind: LostDiskKind | null;
  readonly lost_chunk_count: number | null;
  readonly lost_bytes_used: number | null;
  readonly lost_cursor: string | null;
}

/** How the store lays out clusters; travels with each call that may change the layout. */
export interface LayoutPolicy {
  readonly stagedLayouts: boolean;
  readonly defaults: LayoutDefaults;
}

export async function registerNode(
  session: SqlSession,
  input: { readonly registration: NodeRegistration; readonly policy: LayoutPolicy },
): Promise<RegisteredNode> {
  const { registration, policy } = input;
  const { nodeId } = registration;
  await session.lockLayouts();
  const [known] = await session.query<NodeRow>("SELECT * FROM storage_servers WHERE server_id = $1", [nodeId]);
  // A node that nobody knows may have been forgotten, while an older layout names it.
  const layouts = known === undefined ? await readLayoutsInUse(session) : [];
  const layout = known === undefined ? layouts[0] : await readNewestLayout(session);
  const inLayout = layout?.nodes.some((node) => node.nodeId === nodeId) ?? false;
  const nowMs = await session.nowMs();
  const lost =
    known === undefined
      ? forgottenDisk(registration, layouts, nowMs)
      : newLostDisk(folderOf(known), registration, nowMs);
  const row = await upsertNode(session, registration, { inLayout, lost, known });
  if (lost !== undefined && isRefused(registration, lost)) throw diskLost(nodeId, lost);
  if (lost !== undefined)
    await session.query("UPDATE repair_queue SET stand_in_id = NULL WHERE stand_in_id = $1", [nodeId]);
  const node: LayoutNode = { nodeId, ...(row.zone === null ? {} : { zone: row.zone }), weight: row.weight };
  const joins = !policy.stagedLayouts && !row.removed_from_layout;
  const next = joins ? layoutWithNode(layout, node, policy.defaults) : undefined;
  if (next !== undefined) await insertLayout(session, next);
  await writeVirtualNodes(session, node, next ?? layout ?? { ...policy.defaults, layoutVersion: 0, nodes: [] });
  const lostDisk = lost ?? (known && lostDiskOf(known));
  return { layoutVersion: next?.layoutVersion ?? layout?.layoutVersion ?? 0, ...(lostDisk && { lostDisk }) };
}

function folderOf(row: NodeRow): Parameters<typeof newLostDisk>[0] {
  const { folder_id, chunk_count, bytes_used } = row;
  return {
    folderId: folder_id ?? undefined,
    chunkCount: chunk_count ?? undefined,
    bytesUsed: bytes_used ?? undefined,
    lostDisk: lostDiskOf(row),
  };
}

function lostDiskOf(row: NodeRow): LostDisk | undefined {
  const { lost_at_ms: atMs, lost_kind: kind, lost_cursor: cursor } = row;
  if (atMs === null || kind === null) return undefined;
  const { lost_chunk_count: chunkCount, lost_bytes_used: bytesUsed } = row;
  return { kind, atMs, chunkCount: chunkCount ?? 0, bytesUsed: bytesUsed ?? 0, isQueued: cursor === null };
}

/** What is known when a node registers. */
interface NodeBefore {
  /** Whether it is in the layout: there the operator's weight holds, also when it was left out for a time; before that the node's own. */
  readonly inLayout: boolean;
  readonly lost: LostDisk | undefined;
  readonly known: NodeRow | undefined;
}

/** Begins a walk over the chunk rows, and takes the chunks out of the statistics, so that registering again is no second loss. */
const LOSE_DISK = `, lost_at_ms = excluded.last_heartbeat_at_ms, lost_kind = $9, lost_chunk_count = $10, lost_bytes_used = $11,
  lost_cursor = '', chunk_count = CASE WHEN storage_servers.chunk_count IS NULL THEN NULL ELSE 0 END,
  bytes_used = CASE WHEN storage_servers.bytes_used IS NULL THEN NULL ELSE 0 END`;

/** @throws {AshlarError} PRECONDITION_FAILED while a node at another URL holds the id. */
async function upsertNode(session: SqlSession, registration: NodeRegistration, before: NodeBefore): Promise<NodeRow> {
  const { nodeId, url, zone = null, weight, softwareVersion, folderId = null } = registration;
  const { inLayout, lost, known } = before;
  const keepWeight = inLayout || weight === undefined || Boolean(known?.left_out);
  const nowMs = await session.nowMs();
  const isNewLost = lost !== undefined && known === undefined;
  const [row] = await session.query<NodeRow>(
    `INSERT INTO storage_servers (server_id, url, zone, weight, software_version, stopped, removed_from_layout, registered_at_ms,
        last_heartbeat_at_ms, folder_id${isNewLost ? ", lost_at_ms, lost_kind, lost_chunk_count, lost_bytes_used, lost_cursor" : ""})
      VALUES ($1, $2, $3, $4, $5, FALSE, FALSE, $6, $6, $8${isNewLost ? ", $6, $9, $10, $11, ''" : ""})
      ON CONFLICT (server_id) DO UPDATE SET url = excluded.url, zone = COALESCE(excluded.zone, storage_servers.zone),
        weight = ${keepWeight ? "storage_servers.weight" : "excluded.weight"}, software_version = excluded.software_version,
        stopped = FALSE, left_out = FALSE, last_heartbeat_at_ms = excluded.last_heartbeat_at_ms,
        folder_id = COALESCE(excluded.folder_id, storage_servers.folder_id)${lost === undefined ? "" : LOSE_DISK}
      WHERE storage_servers.url = excluded.url OR storage_servers.stopped OR storage_servers.last_heartbeat_at_ms < $7
      RETURNING server_id, zone, weight, removed_from_layout`,
    [
      ...[nodeId, url, zone, weight ?? 1, softwareVersion, nowMs, nowMs - NODE_DOWN_AFTER_MS, folderId],
      ...(lost === undefined ? [] : [lost.kind, lost.chunkCount, lost.bytesUsed]),
    ],
  );
  if (row !== undefined) return { ...row, removed_from_layout: Boolean(row.removed_from_layout) };
  throw nodeIdHeld(nodeId, known?.url ?? "", folderId !== null && folderId === known?.folder_id);
}

/** Adds or deletes tokens of a node to match its weight. Tokens depend on the id and index only, so an equal count is an equal set. */
async function writeVirtualNodes(session: SqlSession, node: LayoutNode, layout: Layout): Promise<void> {
  const { nodeId } = node;
  const wanted = virtualNodeCount(layout, node);
  const [row] = await session.query<{ present: number }>(
    "SELECT count(*) AS present FROM hash_ring_nodes WHERE server_id = $1",
    [nodeId],
  );
  const present = row?.present ?? 0;
  if (present > wanted) {
    await session.query("DELETE FROM hash_ring_nodes WHERE server_id = $1 AND virtual_node_index >= $2", [
      nodeId,
      wanted,
    ]);
  }
  const rows = Array.from({ length: Math.max(0, wanted - present) }, (_, offset) => {
    const index = present + offset;
    const token = new DataView(new ArrayBuffer(8));
    token.setBigUint64(0, virtualNodeToken(nodeId, index));
    return [nodeId, index, new Uint8Array(token.buffer)];
  });
  await insertRows(session, { into: "hash_ring_nodes (server_id, virtual_node_index, token)" }, rows);
}

/** Runs without a transaction: copies that could not be queued are told again. */
export async function heartbeat(session: SqlSession, beat: Heartbeat): Promise<HeartbeatAnswer> {
  const { nodeId, stats, damagedChunkIds = [] } = beat;
  const [row] = await session.query<{ layout_version: number; lost_at_ms: number | null }>(
    `UPDATE storage_servers SET stopped = FALSE, last_heartbeat_at_ms = ${session.dialect.nowMs}, chunk_count = $2, bytes_used = $3,
      bytes_free = $4, bytes_total = $5 WHERE server_id = $1 AND NOT left_out
      RETURNING (SELECT COALESCE(max(layout_version), 0) FROM layouts) AS layout_version, lost_at_ms`,
    [nodeId, stats.chunkCount, stats.bytesUsed, stats.bytesFree, stats.bytesTotal],
  );
  if (row === undefined) throw nodeNotFound(nodeId);
  if (damagedChunkIds.length > 0) await queueDamagedCopies(session, nodeId, damagedChunkIds);
  return { layoutVersion: row.layout_version, ...(row.lost_at_ms === null ? {} : { hasLostDisk: true }) };
}

export async function stopNode(session: SqlSession, nodeId: string): Promise<void> {
  const rows = await session.query(
    "UPDATE storage_servers SET stopped = TRUE WHERE server_id = $1 RETURNING server_id",
    [nodeId],
  );
  if (rows.length === 0) throw nodeNotFound(nodeId);
}

export async function clusterSnapshot(session: SqlSession): Promise<ClusterSnapshot> {
  const rows = await session.query<NodeRow & { now_ms: number }>(
    `SELECT storage_servers.*, ${session.dialect.nowMs} AS now_ms FROM storage_servers ORDER BY server_id`,
  );
  return { nodes: rows.map((row) => recordOf(row, row.now_ms)), layouts: await readLayoutsInUse(session) };
}

export async function recentLayouts(
  session: SqlSession,
  { forMs, limit }: Parameters<LayoutHistory["recentLayouts"]>[0],
): Promise<readonly Layout[]> {
  return await readRecentLayouts(session, { sinceMs: (await session.nowMs()) - forMs, limit });
}

function recordOf(row: NodeRow, nowMs: number): NodeRecord {
  const { chunk_count: chunkCount, bytes_used: bytesUsed, bytes_free: bytesFree, bytes_total: bytesTotal } = row;
  const known = chunkCount !== null && bytesUsed !== null && bytesFree !== null && bytesTotal !== null;
  const lastHeartbeatAtMs = row.last_heartbeat_at_ms;
  const lostDisk = lostDiskOf(row);
  return {
    nodeId: row.server_id,
    url: row.url,
    ...(row.zone === null ? {} : { zone: row.zone }),
    weight: row.weight,
    softwareVersion: row.software_version,
    state: nodeState({ stopped: Boolean(row.stopped), lastHeartbeatAtMs }, nowMs),
    registeredAtMs: row.registered_at_ms,
    lastHeartbeatAtMs,
    ...(known ? { stats: { chunkCount, bytesUsed, bytesFree, bytesTotal } } : {}),
    ...(lostDisk && { lostDisk }),
  };
}

export async function leaveOutNode(
  session: SqlSession,
  input: { readonly query: MetadataInput<"leaveOutNode">; readonly policy: LayoutPolicy },
): Promise<Layout | undefined> {
  const { nodeId, awayForMs } = input.query;
  if (input.policy.stagedLayouts) return undefined;
  await session.lockLayouts();
  const layout = await readNewestLayout(session);
  const nowMs = await session.nowMs();
  const rows = await session.query<NodeRow>("SELECT server_id, stopped, last_heartbeat_at_ms FROM storage_servers");
  const known = rows.map((row) => ({
    nodeId: row.server_id,
    lastHeartbeatAtMs: row.last_heartbeat_at_ms,
    isUp: isUp(row, nowMs),
  }));
  const node = known.find((one) => one.nodeId === nodeId);
  if (layout === undefined || node === undefined || node.isUp || nowMs - node.lastHeartbeatAtMs < awayForMs)
    return undefined;
  const next = layoutWithoutNode(layout, nodeId, known);
  if (next === undefined) return undefined;
  await insertLayout(session, next);
  await session.query("UPDATE storage_servers SET left_out = TRUE WHERE server_id = $1", [nodeId]);
  return next;
}

const isUp = ({ stopped, last_heartbeat_at_ms: lastHeartbeatAtMs }: NodeRow, nowMs: number): boolean =>
  nodeState({ stopped: Boolean(stopped), lastHeartbeatAtMs }, nowMs) === "up";

export async function changeLayout(
  session: SqlSession,
  input: { readonly change: LayoutChange; readonly policy: LayoutPolicy },
): Promise<Layout> {
  const { change, policy } = input;
  await session.lockLayouts();
  const rows = await session.query<NodeRow>("SELECT server_id, zone, weight FROM storage_servers");
  const registered = new Map(
    rows.map((row): [string, LayoutNode] => [
      row.server_id,
      { nodeId: row.server_id, ...(row.zone === null ? {} : { zone: row.zone }), weight: row.weight },
    ]),
  );
  const current = await readNewestLayout(session);
  const layout = changedLayout(current, change, { registered, defaults: policy.defaults });
  await assertAllForgettable(session, layout, change);
  if (layout !== current) await insertLayout(session, layout);
  const changedIds = new Set(Object.keys(change.weights ?? {}));
  for (const node of layout.nodes) {
    if (!changedIds.has(node.nodeId) || !registered.has(node.nodeId)) continue;
    await session.query("UPDATE storage_servers SET weight = $2, removed_from_layout = FALSE WHERE server_id = $1", [
      node.nodeId,
      node.weight,
    ]);
    await writeVirtualNodes(session, node, layout);
  }
  // Otherwise its next registration would bring it back.
  for (const nodeId of change.removeNodeIds ?? []) {
    await session.query("UPDATE storage_servers SET removed_from_layout = TRUE WHERE server_id = $1", [nodeId]);
  }
  for (const nodeId of change.forgetNodeIds ?? []) {
    await session.query("DELETE FROM hash_ring_nodes WHERE server_id = $1", [nodeId]);
    await session.query("DELETE FROM storage_servers WHERE server_id = $1", [nodeId]);
  }
  return layout;
}

/** Before anything is changed. What the repair queue has for such a node is dropped by the next round of repair. */
async function assertAllForgettable(
  session: SqlSession,
  layout: Layout,
  { forgetNodeIds = [], acceptLoss }: LayoutChange,
): Promise<void> {
  if (forgetNodeIds.length === 0) return;
  const older = (await readLayoutsInUse(session)).filter(({ layoutVersion }) => layoutVersion < layout.layoutVersion);
  const nowMs = await session.nowMs();
  for (const nodeId of forgetNodeIds) {
    const [row] = await session.query<NodeRow>(
      "SELECT stopped, last_heartbeat_at_ms FROM storage_servers WHERE server_id = $1",
      [nodeId],
    );
    if (row === undefined) throw nodeNotFound(nodeId);
    const state = nodeState({ stopped: Boolean(row.stopped), lastHeartbeatAtMs: row.last_heartbeat_at_ms }, nowMs);
    assertForgettable({ nodeId, state }, { layouts: [layout, ...older], acceptLoss });
  }
}
