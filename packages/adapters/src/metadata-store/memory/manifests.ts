import type { ChunkRef, LocatedChunk, ManifestPage } from "@ashlar/sdk/ports";
import type { ManifestRow, MemoryState } from "./state.ts";

/** Gives each chunk its offset. */
export function locateChunks(chunks: readonly ChunkRef[]): readonly LocatedChunk[] {
  let offset = 0;
  return chunks.map(({ chunkId, sizeBytes }) => {
    const located = { chunkId, sizeBytes, offset };
    offset += sizeBytes;
    return located;
  });
}

/** A page from the chunk that contains `fromOffset`; empty at or past the end. */
export function manifestPage(row: ManifestRow, fromOffset: number, limit: number): ManifestPage {
  let low = 0;
  let high = row.chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const chunk = row.chunks[middle] as LocatedChunk;
    if (chunk.offset + chunk.sizeBytes <= fromOffset) low = middle + 1;
    else high = middle;
  }
  const next = row.chunks[low + limit];
  return { chunks: row.chunks.slice(low, low + limit), ...(next === undefined ? {} : { nextOffset: next.offset }) };
}

/** For an object row that stops naming the manifest; the last one releases it. */
export function releaseManifest(state: MemoryState, manifestId: string | undefined): void {
  const row = manifestId === undefined ? undefined : state.manifests.get(manifestId);
  if (manifestId === undefined || row === undefined) return;
  row.referenceCount--;
  if (row.referenceCount === 0) {
    state.released.add({ manifestId, chunks: row.chunks, releasedAtMs: state.clock.nowMs() });
  }
}
