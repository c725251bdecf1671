import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import type { CollectingChunk, CollectionQueue } from "@ashlar/sdk/ports";
import { replicasUnder } from "../../internal/metadata/replicas-under.ts";
import { lowerChunks, queueRepair } from "./chunk-rows.ts";
import type { ChunkRow, MemoryState } from "./state.ts";
import { abortUpload } from "./uploads.ts";

export function memoryCollection(state: MemoryState): CollectionQueue {
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
  };
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
