import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import type { CollectingChunk, CollectionQueue, LostCopiesStep, MissedCopy, RepairQueue } from "@ashlar/sdk/ports";
import { replicasUnder } from "../../internal/metadata/replicas-under.ts";
import { lowerChunks, queueRepair, repairKey } from "./chunk-rows.ts";
import type { ChunkRow, MemoryState, NodeRow } from "./state.ts";
import { abortUpload } from "./uploads.ts";

export function memoryCollection(state: MemoryState): CollectionQueue & RepairQueue {
  return {
    async dropReleasedManifests({ graceMs, limit }) {
      const due = [...state.released]
        .filter((row) => row.releasedAtMs <= state.clock.nowMs() - graceMs)
        .slice(0, limit);
      for (const row of due) {
        state.released.delete(row);
        if (row.manifestId !== undefined) state.manifests.delete(row.manifestId);
        lowerChunks(state, row.chunks);
      }
      return due.length;
    },
    async abortStaleUploads({ olderThanMs, limit }) {
      const border = state.clock.nowMs() - olderThanMs;
      const stale = [...state.uploads.values()].filter(({ info }) => info.createdAtMs <= border).slice(0, limit);
      for (const upload of stale) abortUpload(state, upload);
      return stale.length;
    },
    markCollecting: async ({ graceMs, limit }) => markCollecting(state, graceMs, limit),
    async finishCollecting(outcomes) {
      return outcomes.filter((outcome) => finishOne(state, outcome)).map((outcome) => outcome.chunkId);
    },
    knowsChunks: async (chunkIds) => chunkIds.map((chunkId) => state.chunks.has(encodeHex(chunkId))),
    queueRepairs: async (copies) => copies.filter((copy) => queueMissed(state, copy)).length,
    async listRepairs({ limit, nodeId, afterRepairId = "" }) {
      return [...state.repairs.values()]
        .filter((entry) => entry.repairId > afterRepairId && (nodeId === undefined || entry.nodeId === nodeId))
        .sort((a, b) => (a.repairId < b.repairId ? -1 : 1))
        .slice(0, limit);
    },
    async countRepairs() {
      const counts = new Map<string, number>();
      for (const { nodeId } of state.repairs.values()) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
      return [...counts].map(([nodeId, count]) => ({ nodeId, count }));
    },
    queueLostCopies: async ({ limit }) => queueLostCopies(state, limit),
    async finishRepairs(repairIds) {
      const done = new Set(repairIds);
      for (const [key, repair] of state.repairs) if (done.has(repair.repairId)) state.repairs.delete(key);
    },
  };
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

function markCollecting(state: MemoryState, graceMs: number, limit: number): readonly CollectingChunk[] {
  const nowMs = state.clock.nowMs();
  const marked: ChunkRow[] = [];
  for (const row of state.chunks.values()) {
    if (marked.length === limit) break;
    if (row.referenceCount > 0 || row.idleSinceMs === undefined || row.idleSinceMs > nowMs - graceMs) continue;
    row.collecting = true;
    row.idleSinceMs = nowMs;
    marked.push(row);
  }
  return marked.map(({ chunkId, sizeBytes, layoutVersion }) => ({ chunkId, sizeBytes, layoutVersion }));
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
    const chunk = state.chunks.get(id);
    const layout = state.layouts.find(({ layoutVersion }) => layoutVersion === chunk?.layoutVersion);
    if (chunk === undefined || layout === undefined || chunk.collecting) continue;
    if (!replicasUnder(layout, chunk.chunkId).includes(nodeId)) continue;
    queueRepair(state, id, nodeId);
    copiesQueued++;
  }
  const isQueued = ids.length < limit;
  state.nodes.set(nodeId, { ...row, lostDisk: { ...lostDisk, isQueued }, lostCursor: ids.at(-1) ?? lostCursor });
  return { rowsWalked: ids.length, copiesQueued, isDone: false };
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

/** @returns whether the row is gone. */
function finishOne(state: MemoryState, outcome: { readonly chunkId: Digest; readonly removed: boolean }): boolean {
  const id = encodeHex(outcome.chunkId);
  const row = state.chunks.get(id);
  if (row === undefined) return outcome.removed;
  if (row.collecting && outcome.removed) {
    state.chunks.delete(id);
    return true;
  }
  // A replica refused, or a commit has taken the chunk back. In the second case its replicas may be gone: restore them all.
  if (outcome.removed && row.referenceCount > 0) {
    const layout = state.layouts.find(({ layoutVersion }) => layoutVersion === row.layoutVersion);
    const replicas = layout === undefined ? [] : replicasUnder(layout, row.chunkId);
    for (const nodeId of replicas) queueRepair(state, id, nodeId);
  }
  if (row.collecting) {
    row.collecting = false;
    row.idleSinceMs = state.clock.nowMs();
  }
  return false;
}
