import type { Digest } from "../hash/index.ts";
import type { CallOptions, ChunkStore } from "./chunk-store.ts";

/** A part of a chunk, in bytes. */
export interface ChunkSpan {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/** A chunk that is open for reading. It can be read to its end though it is deleted meanwhile. Whoever opened it closes it. */
export interface ChunkReader {
  readonly sizeBytes: number;
  /**
   * Reads bytes into memory of the caller's: the beginning of `span`, as much of it as there is room for. Every block that is touched is checked against its
   * checksum before the promise settles, as in `getChunk`.
   *
   * @param target room for the 64 KiB blocks that cover the first byte of the span, and for as many more as are to be read at once. Borrowed until the
   *   promise settles; after an abort for good, because the read below may still be filling it.
   * @returns a view of `target`, at least one byte.
   * @throws {AshlarError} CHUNK_CORRUPT, INVALID_RANGE for a span that is not within the chunk, INVALID_ARGUMENT without room for a block, STORE_CLOSED.
   */
  read(span: ChunkSpan, target: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** Idempotent; waits for reads that run. */
  close(): Promise<void>;
}

/**
 * Reading into memory of the reader's, offered by stores on a disk of this machine: what they read and check in this process needs no memory of its own,
 * and one opening tells the size and serves every range.
 */
export interface OpeningChunkStore extends ChunkStore {
  /** Opens a chunk; `undefined` if absent. @throws {AshlarError} CHUNK_CORRUPT, NODE_UNAVAILABLE. */
  openChunk(chunkId: Digest, options?: CallOptions): Promise<ChunkReader | undefined>;
}

/** Whether a store opens chunks. */
export function isOpeningChunkStore(store: ChunkStore): store is OpeningChunkStore {
  return "openChunk" in store && typeof store.openChunk === "function";
}
