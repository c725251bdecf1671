import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type {
  LostCopiesStep,
  MissedCopy,
  NodeRepairs,
  RepairEntry,
  RepairOutcome,
  RepairQueue,
} from "@ashlar/sdk/ports";
import { replicasUnder } from "../../internal/metadata/replicas-under.ts";
import { queueRepair, repairKey } from "./chunk-rows.ts";
import { type MemoryState, type NodeRow, nextId, type RepairRow } from "./state.ts";

export function memoryRepairs(state: MemoryState): RepairQueue {
  const ofNode = (nodeId: string | undefined): RepairRow[] =>
    [...state.repairs.values()].filter((row) => nodeId === undefined || row.nodeId === nodeId);
  return {
    queueRepairs: async (copies) => copies.filter((copy) => queueMissed(state, copy)).length,
    async claimRepairs({ nodeId, limit, leaseMs }) {
      const nowMs = state.clock.nowMs();
      const leaseToken = nextId(state);
      const due = ofNode(nodeId)
        .filter(({ dueAtMs }) => dueAtMs <= nowMs)
        .sort((a, b) => a.dueAtMs - b.dueAtMs || byId(a, b))
        .slice(0, limit);
      for (const row of due) put(state, { ...row, leaseToken, dueAtMs: nowMs + leaseMs });
      return { leaseToken, entries: due.map(entryOf) };
    },
    finishRepairs: async ({ leaseToken, outcomes }) =>
      outcomes.filter((outcome) => finishOne(state, leaseToken, outcome)).length,
    async listRepairs({ limit, nodeId, afterRepairId = "", minAttempts = 0 }) {
      return ofNode(nodeId)
        .filter(({ repairId, attempts }) => repairId > afterRepairId && attempts >= minAttempts)
        .sort(byId)
        .slice(0, limit)
        .map(entryOf);
    },
    countRepairs: async () => countRepairs(state),
    queueLostCopies: async ({ limit }) => queueLostCopies(state, limit),
  };
}

const byId = (a: RepairEntry, b: RepairEntry): number => (a.repairId < b.repairId ? -1 : 1);

function put(state: MemoryState, row: RepairRow): void {
  state.repairs.set(repairKey(encodeHex(row.chunkId), row.nodeId), row);
}

function entryOf({
  dueAtMs: _due,
  leaseToken: _token,
  standInId: _standIn,
  lastError,
  ...entry
}: RepairRow): RepairEntry {
  return lastError === undefined ? entry : { ...entry, lastError };
}

/** @returns whether it was ended: the claim still held it. */
function finishOne(state: MemoryState, leaseToken: string, { repairId, retryInMs, error }: RepairOutcome): boolean {
  for (const [key, row] of state.repairs) {
    if (row.repairId !== repairId || row.leaseToken !== leaseToken) continue;
    if (retryInMs === undefined) state.repairs.delete(key);
    else {
      const attempts = row.attempts + (error === undefined ? 0 : 1);
      const dueAtMs = state.clock.nowMs() + retryInMs;
      put(state, { ...row, attempts, dueAtMs, leaseToken: undefined, lastError: error ?? row.lastError });
    }
    return true;
  }
  return false;
}

function countRepairs(state: MemoryState): readonly NodeRepairs[] {
  const nowMs = state.clock.nowMs();
  const counts = new Map<string, NodeRepairs>();
  for (const { nodeId, sizeBytes, attempts, leaseToken, dueAtMs } of state.repairs.values()) {
    const sum = counts.get(nodeId) ?? { nodeId, count: 0, sizeBytes: 0, claimedCount: 0, failingCount: 0 };
    counts.set(nodeId, {
      nodeId,
      count: sum.count + 1,
      sizeBytes: sum.sizeBytes + sizeBytes,
      claimedCount: sum.claimedCount + (leaseToken !== undefined && dueAtMs > nowMs ? 1 : 0),
      failingCount: sum.failingCount + (attempts >= LIMITS.REPAIR_FAILING_ATTEMPTS ? 1 : 0),
    });
  }
  return [...counts.values()];
}

/** @returns whether it was queued. */
function queueMissed(state: MemoryState, { chunkId, nodeId, layoutVersions }: MissedCopy): boolean {
  const id = encodeHex(chunkId);
  const row = state.chunks.get(id);
  if (row === undefined || row.collecting || row.referenceCount === 0) return false;
  if (!layoutVersions.includes(row.layoutVersion) || state.repairs.has(repairKey(id, nodeId))) return false;
  queueRepair(state, id, nodeId);
  return true;
}

/** One step for the node that lost its disk first. The rows are in no order, so the walk sorts their ids. */
function queueLostCopies(state: MemoryState, limit: number): LostCopiesStep {
  const isWalked = ({ lostDisk }: NodeRow): boolean => lostDisk !== undefined && !lostDisk.isQueued;
  const [row] = [...state.nodes.values()]
    .filter(isWalked)
    .sort((a, b) => (a.lostDisk?.atMs ?? 0) - (b.lostDisk?.atMs ?? 0));
  if (row?.lostDisk === undefined) {
    forgetRestored(state);
    return { rowsWalked: 0, copiesQueued: 0, isDone: true };
  }
  const { nodeId, lostDisk, lostCursor = "" } = row;
  const ids = [...state.chunks.keys()]
    .filter((id) => id > lostCursor)
    .sort()
    .slice(0, limit);
  let copiesQueued = 0;
  for (const id of ids) {
    if (!belongsOn(state, id, nodeId)) continue;
    queueRepair(state, id, nodeId);
    copiesQueued++;
  }
  const isQueued = ids.length < limit;
  state.nodes.set(nodeId, { ...row, lostDisk: { ...lostDisk, isQueued }, lostCursor: ids.at(-1) ?? lostCursor });
  return { rowsWalked: ids.length, copiesQueued, isDone: false };
}

/** By the newest layout too: rebalance may have found the copy there, and be about to move the row. */
function belongsOn(state: MemoryState, id: string, nodeId: string): boolean {
  const chunk = state.chunks.get(id);
  if (chunk === undefined || chunk.collecting || chunk.layoutVersion === 0) return false;
  const layouts = state.layouts.filter(
    (layout) => layout.layoutVersion === chunk.layoutVersion || layout === state.layouts.at(-1),
  );
  return layouts.some((layout) => replicasUnder(layout, chunk.chunkId).includes(nodeId));
}

/** Queues copies that a node put aside, if they belong there and an object names their chunks. */
export function queueDamagedCopies(state: MemoryState, nodeId: string, chunkIds: readonly Digest[]): void {
  for (const id of chunkIds.map(encodeHex)) {
    if (state.repairs.has(repairKey(id, nodeId)) || state.chunks.get(id)?.referenceCount === 0) continue;
    if (belongsOn(state, id, nodeId)) queueRepair(state, id, nodeId);
  }
}

/** Nodes whose last copy is restored have their disk back. */
function forgetRestored(state: MemoryState): void {
  const waiting = new Set([...state.repairs.values()].map(({ nodeId }) => nodeId));
  for (const [nodeId, row] of state.nodes) {
    if (row.lostDisk === undefined || waiting.has(nodeId)) continue;
    const { lostDisk: _disk, lostCursor: _cursor, ...rest } = row;
    state.nodes.set(nodeId, rest);
  }
}
