import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { BytesProgress } from "../ports/index.ts";

/** A buffer of a known size, filled from slices. */
export interface ChunkAssembly {
  /** Copies `slice` behind the earlier ones. @throws {AshlarError} NODE_UNAVAILABLE if there are more bytes than declared. */
  add(slice: Uint8Array): void;
  /** Returns all bytes. @throws {AshlarError} NODE_UNAVAILABLE if there are fewer than declared: the connection was cut. */
  finish(): Uint8Array;
}

/**
 * @param sizeBytes the size that the sender declared; allocated at once.
 * @throws {AshlarError} NODE_UNAVAILABLE for a size that no chunk can have: a false size must not exhaust memory.
 */
export function createChunkAssembly(sizeBytes: number, onProgress?: BytesProgress): ChunkAssembly {
  const cut = (receivedBytes: number): AshlarError =>
    new AshlarError("NODE_UNAVAILABLE", "the answer's length is wrong", {
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
