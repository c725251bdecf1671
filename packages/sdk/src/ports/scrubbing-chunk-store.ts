import type { Digest } from "../hash/index.ts";
import type { CallOptions, ChunkStore } from "./chunk-store.ts";

/** Options of {@link ScrubbingChunkStore.scrubChunk}. */
export interface ScrubChunkOptions extends CallOptions {
  /** Called before each read of the file with the number of bytes; the read waits for it. Default: reads as fast as the disk allows. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /**
   * Whether a file that the disk does not give back (EIO) is put aside like a damaged one. Default false: if the whole disk fails, its files may be
   * sound, and only the caller knows whether others can be read.
   */
  readonly putAsideUnreadable?: boolean | undefined;
}

/** What a look at one stored chunk found. */
export interface ScrubbedChunk {
  /**
   * `sound`: every byte is what was written; `absent`: it was deleted or replaced meanwhile; `damaged`: it is not what was written, and was put aside;
   * `unreadable`: the disk does not give it back, and it is where it was.
   */
  readonly state: "sound" | "absent" | "damaged" | "unreadable";
  /** Payload bytes that were read and checked. */
  readonly sizeBytes: number;
  /** For people, if it is damaged or unreadable. */
  readonly problem?: string | undefined;
}

/** What a pass over all chunks has done. */
export interface ScrubCounts {
  /** When it began, in ms since the Unix epoch. */
  readonly startedAtMs: number;
  readonly chunkCount: number;
  /** Payload bytes. */
  readonly byteCount: number;
  /** Chunks that were damaged or unreadable. */
  readonly damagedCount: number;
}

/** How far a pass is. */
export interface ScrubProgress extends ScrubCounts {
  /** Cursor of the page of chunks that it is in; absent: the first page. */
  readonly pageCursor?: string | undefined;
  /** The last chunk that was checked, in hex; absent: none. */
  readonly lastChunkId?: string | undefined;
}

/** What a store remembers of the checks of its chunks. */
export interface ScrubRecord {
  /** When the record was begun, in ms since the Unix epoch. */
  readonly sinceMs: number;
  /** The pass that has not come to its end. */
  readonly current?: ScrubProgress | undefined;
  /** The last pass that came to its end. */
  readonly last?: (ScrubCounts & { readonly endedAtMs: number }) | undefined;
}

/** Checking chunks where they lie, offered by stores on a disk of this machine. A node checks its own chunks; nobody does it from elsewhere. */
export interface ScrubbingChunkStore extends ChunkStore {
  /**
   * Reads all of a chunk and compares it with its digest and its block checksums. A damaged file is put aside, and the chunk is absent from then on.
   *
   * Memory: one buffer of 1 MiB, whatever the size of the chunk.
   *
   * @throws {AshlarError} OVERLOADED if the process has no file handles or memory left.
   */
  scrubChunk(chunkId: Digest, options?: ScrubChunkOptions): Promise<ScrubbedChunk>;
  /** Chunks that were put aside, by whomever, and that are absent since; ascending, the first LIST_LIMIT_MAX of them. */
  lostChunks(options?: CallOptions): Promise<readonly Digest[]>;
  /** `undefined` if there is none, or one that cannot be understood: then a pass begins anew. */
  readScrubRecord(options?: CallOptions): Promise<ScrubRecord | undefined>;
  /** Keeps a record, whole or not at all, also after a power loss. */
  writeScrubRecord(record: ScrubRecord, options?: CallOptions): Promise<void>;
}

/** Whether a store checks its chunks. */
export function isScrubbingChunkStore(store: ChunkStore): store is ScrubbingChunkStore {
  return "scrubChunk" in store && typeof store.scrubChunk === "function";
}
