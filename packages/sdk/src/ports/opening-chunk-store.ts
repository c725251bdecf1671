import type { Digest } from "../hash/index.ts";
import type { CallOptions, ChunkStore } from "./chunk-store.ts";

/** A part of a chunk, in bytes. */
export interface ChunkSpan {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/** A chunk that is open for reading. It can be read to its end even if it is deleted meanwhile. The caller that opened it must close it. */
export interface ChunkReader {
  readonly sizeBytes: number;
  /**
   * Reads the beginning of `span` into the caller's memory, as much as fits. Every block that is touched is checked against its checksum before the
   * promise settles, as in `getChunk`.
   *
   * @param target room for the 64 KiB block that has the first byte of the span, and for as many more blocks as one call may read. Borrowed until the
   *   promise settles. After an abort do not use it again: the read below may still be filling it.
   * @returns a view of `target`, at least one byte.
   * @throws {AshlarError} CHUNK_CORRUPT; INVALID_RANGE for a span that is not within the chunk; INVALID_ARGUMENT without room for a block;
   *   STORE_CLOSED.
   */
  read(span: ChunkSpan, target: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** Idempotent; waits for reads that run. */
  close(): Promise<void>;
}

/**
 * Reading into the reader's memory, offered by stores on a disk of this machine: the store reads and checks without memory of its own. A chunk is
 * opened once; that gives its size and serves every range.
 */
export interface OpeningChunkStore extends ChunkStore {
  /** Opens a chunk; `undefined` if absent. @throws {AshlarError} CHUNK_CORRUPT, NODE_UNAVAILABLE. */
  openChunk(chunkId: Digest, options?: CallOptions): Promise<ChunkReader | undefined>;
}

/** Whether a store opens chunks. */
export function isOpeningChunkStore(store: ChunkStore): store is OpeningChunkStore {
  return "openChunk" in store && typeof store.openChunk === "function";
}
