import { AshlarError } from "../errors/index.ts";
import { LIMITS } from "../limits.ts";
import type { BytesProgress } from "../ports/index.ts";

/** A buffer of a size known beforehand, filled from slices. */
export interface ChunkAssembly {
  /** Copies `slice` behind what is there. @throws {AshlarError} NODE_UNAVAILABLE if more arrives than was told. */
  add(slice: Uint8Array): void;
  /** The whole. @throws {AshlarError} NODE_UNAVAILABLE if less arrived than was told: the connection was cut. */
  finish(): Uint8Array;
}

/**
 * @param sizeBytes what the sender told; one allocation of that size.
 * @throws {AshlarError} NODE_UNAVAILABLE for a size that no chunk can have: a sender's word must not exhaust memory.
 */
export function createChunkAssembly(sizeBytes: number, onProgress?: BytesProgress): ChunkAssembly {
  const cut = (receivedBytes: number): AshlarError =>
    new AshlarError("NODE_UNAVAILABLE", "the answer has another length than it told", {
      details: { sizeBytes: String(sizeBytes), receivedBytes: String(receivedBytes) },
    });
  if (!(sizeBytes >= 0 && sizeBytes <= LIMITS.CHUNK_MAX_BYTES)) throw cut(0);
  const bytes = new Uint8Array(sizeBytes);
  let filled = 0;
  return {
    add(slice) {
      if (filled + slice.byteLength > sizeBytes) throw cut(filled + slice.byteLength);
      bytes.set(slice, filled);
      filled += slice.byteLength;
      onProgress?.(filled);
    },
    finish() {
      if (filled < sizeBytes) throw cut(filled);
      return bytes;
    },
  };
}
