import type { ChunkBuffers } from "../chunking/chunk-body.ts";

/** Chunk buffers of one body between two uses. */
export interface IdleBuffers extends ChunkBuffers {
  /** Leaves a buffer that nobody reads any more, whole and alone in its ArrayBuffer. */
  give(buffer: Uint8Array<ArrayBuffer>): void;
}

/**
 * Keeps the buffers of one body for its next chunks. Of one size only, which is that of nearly all chunks: others are dropped.
 *
 * Memory: none beyond the buffers that were in use at once, because idle ones are taken before new ones are made.
 */
export function createIdleBuffers(): IdleBuffers {
  const idle: Uint8Array<ArrayBuffer>[] = [];
  let sizeBytes = 0;
  return {
    take(wantedBytes) {
      // What is asked for first is what will be asked for again; content-defined chunks are cut from it and come back in other sizes.
      if (wantedBytes > sizeBytes) {
        idle.length = 0;
        sizeBytes = wantedBytes;
      }
      return wantedBytes === sizeBytes ? idle.pop() : undefined;
    },
    give(buffer) {
      if (buffer.byteLength === sizeBytes) idle.push(buffer);
    },
  };
}
