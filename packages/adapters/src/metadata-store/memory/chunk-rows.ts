import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkedContent, ChunkRef } from "@ashlar/sdk/ports";
import { chunkSizeDiffers, layoutUnknown } from "../../internal/metadata/not-found.ts";
import { type MemoryState, nextId } from "./state.ts";

/** Checks what could fail about the chunks of a commit, before anything is changed. */
export function assertRaisable(state: MemoryState, content: ChunkedContent): void {
  const layouts = new Set([0, ...state.layouts.map((layout) => layout.layoutVersion)]);
  const sizes = new Map<string, number>();
  for (const { chunkId, sizeBytes, layoutVersion = 0 } of content.chunks) {
    if (!layouts.has(layoutVersion)) throw layoutUnknown(layoutVersion);
    const id = encodeHex(chunkId);
    const known = sizes.get(id) ?? state.chunks.get(id)?.sizeBytes ?? sizeBytes;
    if (known !== sizeBytes) throw chunkSizeDiffers();
    sizes.set(id, sizeBytes);
  }
}

/** Raises the count of each chunk, sets collecting rows live again, moves layouts forward, queues missed replicas for repair. */
export function raiseChunks(state: MemoryState, content: ChunkedContent): void {
  for (const { chunkId, sizeBytes, layoutVersion = 0, missedNodeIds, standInNodeIds } of content.chunks) {
    const id = encodeHex(chunkId);
    const row = state.chunks.get(id);
    // If nothing named the chunk, a collector may have deleted replicas: only those that this commit claimed are sure to exist.
    const known = row === undefined || row.collecting || row.referenceCount === 0 ? 0 : row.layoutVersion;
    state.chunks.set(id, {
      chunkId: row?.chunkId ?? chunkId,
      sizeBytes,
      referenceCount: (row?.referenceCount ?? 0) + 1,
      collecting: false,
      layoutVersion: Math.max(known, layoutVersion),
      idleSinceMs: undefined,
    });
    for (const [index, nodeId] of (missedNodeIds ?? []).entries())
      queueRepair(state, id, nodeId, standInNodeIds?.[index]);
  }
}

/** Lowers the counts; rows that nothing names any more begin to age. */
export function lowerChunks(state: MemoryState, chunks: readonly ChunkRef[]): void {
  for (const { chunkId } of chunks) {
    const row = state.chunks.get(encodeHex(chunkId));
    if (row === undefined) continue;
    row.referenceCount--;
    if (row.referenceCount === 0) row.idleSinceMs = state.clock.nowMs();
  }
}

/** The key of `state.repairs`. */
export function repairKey(chunkHex: string, nodeId: string): string {
  return `${chunkHex} ${nodeId}`;
}

/** Notes a replica to restore. A new miss replaces an older entry, so that finishing the older repair does not hide it, and is free at once. */
export function queueRepair(state: MemoryState, chunkHex: string, nodeId: string, standInId?: string): void {
  const row = state.chunks.get(chunkHex);
  if (row === undefined) return;
  const { chunkId, sizeBytes, layoutVersion } = row;
  const key = repairKey(chunkHex, nodeId);
  const { attempts = 0, lastError, standInId: known } = state.repairs.get(key) ?? {};
  state.repairs.set(key, {
    repairId: nextId(state),
    standInId: standInId ?? known,
    ...{ chunkId, sizeBytes, nodeId, layoutVersion, attempts, lastError },
    ...{ leaseToken: undefined, dueAtMs: state.clock.nowMs() },
  });
}
