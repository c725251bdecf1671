import type { Digest } from "../hash/index.ts";
import type { DatabaseMark } from "./database-mark.ts";
import type { Durability } from "./durability.ts";

/** What a chunk store can do; frozen. Contract suites and docs read this object. */
export interface ChunkStoreCapabilities {
  /** Chunks survive `close()` and reopening. */
  readonly persistent: boolean;
  /** Largest chunk in bytes that the store takes. */
  readonly chunkMaxBytes: number;
  /** Durability modes that make a difference in this store. */
  readonly durabilities: readonly Durability[];
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Progress of one chunk transfer: bytes moved so far in this attempt, not decreasing within an attempt. */
export type BytesProgress = (transferredBytes: number) => void;

export interface PutChunkOptions extends CallOptions {
  readonly durability?: Durability | undefined;
  /** A signed grant, for stores on other machines; stores without access control ignore it. */
  readonly grant?: string | undefined;
  readonly onProgress?: BytesProgress | undefined;
  /**
   * The caller has just computed the chunk id from these bytes in this process, so a store in the same process need not hash them again.
   * A hint: stores may ignore it. It never leaves the process, and a server never sets it for bytes that came from elsewhere. Default false.
   */
  readonly digestVerified?: boolean | undefined;
}

/** What a put of a chunk did. */
export interface PutChunkResult {
  readonly sizeBytes: number;
  /** True if the store held the chunk already; it is claimed all the same. */
  readonly alreadyPresent: boolean;
  /** A node's or gateway's signed receipt for the commit. */
  readonly receipt?: string | undefined;
  /** Copies behind this store that hold the chunk durably; default 1. A gateway's chunk API has several. */
  readonly replicas?: number | undefined;
  /** From a store that combines several nodes; not sent over the wire. */
  readonly holders?: ChunkHolders | undefined;
}

/** Which nodes hold a chunk. A store that combines several nodes reports it, for a receipt. */
export interface ChunkHolders {
  /** The layout that placed it; 0 for a single store. */
  readonly layoutVersion: number;
  /** Nodes that hold the chunk durably and claimed. */
  readonly nodeIds: readonly string[];
  /** Nodes of the placement that had not acknowledged yet; they still may. */
  readonly missedNodeIds: readonly string[];
  /** Nodes outside the placement that took a copy because too few of its own could; they are among `nodeIds`. Absent: none. */
  readonly standInNodeIds?: readonly string[] | undefined;
}

export interface GetChunkOptions extends CallOptions {
  /** First byte, default 0. */
  readonly offset?: number | undefined;
  /**
   * Bytes wanted, at least 1, default up to the end. A range that ends past the chunk is cut; one that starts at or past its end is
   * INVALID_RANGE (offset 0 is always allowed, so that an empty chunk can be read).
   */
  readonly length?: number | undefined;
  readonly grant?: string | undefined;
  readonly onProgress?: BytesProgress | undefined;
  /** Called with the size of the whole chunk before a range of it is returned, so that no call for the size is needed. */
  readonly onSize?: ((sizeBytes: number) => void) | undefined;
}

export interface HasChunksOptions extends CallOptions {
  /** Claim each chunk that is present (see {@link ChunkStore}). */
  readonly claim: boolean;
  readonly grant?: string | undefined;
}

/** One answer of {@link ChunkStore.hasChunks}; `undefined` there means absent. */
export interface ChunkPresence {
  readonly sizeBytes: number;
  /** As in {@link PutChunkResult}. */
  readonly holders?: ChunkHolders | undefined;
}

/** What became of one chunk of a conditional delete. `claimed`: it was claimed too recently and is kept. */
export type DeleteOutcome = "deleted" | "absent" | "claimed";

export interface DeleteChunksOptions extends CallOptions {
  /** Delete only if unclaimed for at least this long in ms, on the store's own clock. 0 deletes unconditionally. */
  readonly unclaimedForMs: number;
  /**
   * The database on whose behalf chunks are deleted: METADATA_CORRUPT, and nothing is deleted, if the store serves another or a newer state of
   * it. Chunks that it cannot know are answered `claimed`. Default: not checked (an operator's own delete).
   */
  readonly database?: DatabaseMark | undefined;
}

export interface ListChunksOptions extends CallOptions {
  /** Opaque; `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** 1 to 1,000; default 1,000. */
  readonly limit?: number | undefined;
  /**
   * Called with each entry on the way that is not listed and does not belong there, once in a walk over all pages. Default: they are passed over. Only
   * stores on a disk of this machine call it.
   */
  readonly onStray?: ((entry: StrayEntry) => void) | undefined;
}

/** One chunk of a listing. */
export interface ListedChunk {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  /** How long ago the chunk was last claimed, ms on the store's own clock. */
  readonly unclaimedForMs: number;
}

/** One page of a listing of chunks. */
export interface ChunkPage {
  /** In ascending digest order; chunks written while listing may or may not appear, all others appear exactly once. */
  readonly chunks: readonly ListedChunk[];
  /** Present while there is more. */
  readonly nextCursor?: string | undefined;
}

/** An entry of a store's folder that is skipped: it cannot be read, or it is not a file or a folder where one belongs. */
export interface BadEntry {
  /** Relative to the store's folder. */
  readonly path: string;
  /** For people. */
  readonly problem: string;
}

/** An entry that does not belong where it lies, such as a file in the wrong folder or under a name that is no digest. */
export interface StrayEntry extends BadEntry {
  /** It lies under the name of this chunk, and is no file, or the disk does not show it. */
  readonly chunkId?: Digest | undefined;
}

/** How much a store holds, and how much room it has. */
export interface ChunkStoreStats {
  readonly chunkCount: number;
  /** Payload bytes of all chunks. */
  readonly bytesUsed: number;
  /** Free and total bytes of the disk below; undefined where there is no disk. */
  readonly bytesFree?: number | undefined;
  readonly bytesTotal?: number | undefined;
  /** Entries that the store skipped since it was opened, up to 1,000; undefined: none, or it has no folder. Not sent to other machines. */
  readonly badEntries?: readonly BadEntry[] | undefined;
  /** Copies that the store found damaged and put aside since it was opened; undefined: none, or it has no disk. Not sent to other machines. */
  readonly damagedCount?: number | undefined;
}

/**
 * One place that holds chunks. A storage node seen through a transport is a chunk store too.
 *
 * A **claim** protects a chunk between its upload and the commit that names it. `putChunk` (new or present chunk) and
 * `hasChunks({ claim: true })` claim; `deleteChunks` refuses a chunk that was claimed less than `unclaimedForMs` ago. Claim, write and
 * delete of one chunk exclude each other. Claims survive a restart of the store.
 *
 * Every method rejects with CANCELED or DEADLINE_EXCEEDED within 100 ms of an abort and with STORE_CLOSED after `close()`.
 */
export interface ChunkStore {
  readonly capabilities: ChunkStoreCapabilities;

  /**
   * Stores and claims a chunk. Idempotent. Recomputes the digest before it acknowledges, unless `digestVerified` says that this was done.
   *
   * @param bytes 1 byte to `capabilities.chunkMaxBytes`; borrowed until the promise settles; must not change meanwhile.
   * @throws {AshlarError} INVALID_ARGUMENT, CHUNK_DIGEST_MISMATCH (nothing is kept), OBJECT_TOO_LARGE, DISK_FULL (nothing is kept), NODE_UNAVAILABLE.
   */
  putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult>;

  /**
   * Reads a chunk or a range of it; `undefined` if absent. The result is the caller's to keep.
   *
   * Stored bytes are checked against block checksums before they are released, never against the digest: for the end-to-end check of a whole
   * chunk the caller hashes it, as the engine does.
   *
   * @throws {AshlarError} CHUNK_CORRUPT, INVALID_RANGE, NODE_UNAVAILABLE.
   */
  getChunk(chunkId: Digest, options?: GetChunkOptions): Promise<Uint8Array | undefined>;

  /** One answer per id, in order; up to 1,000 ids. */
  hasChunks(chunkIds: readonly Digest[], options: HasChunksOptions): Promise<ReadonlyArray<ChunkPresence | undefined>>;

  /** One outcome per id, in order; up to 1,000 ids. @throws {AshlarError} METADATA_CORRUPT, see {@link DeleteChunksOptions}. */
  deleteChunks(chunkIds: readonly Digest[], options: DeleteChunksOptions): Promise<readonly DeleteOutcome[]>;

  listChunks(options?: ListChunksOptions): Promise<ChunkPage>;

  stats(options?: CallOptions): Promise<ChunkStoreStats>;

  /** Ends running writes, then releases everything. Idempotent. */
  close(): Promise<void>;
}

/** Streaming write, offered by stores on a disk: a node does not hold a whole chunk in memory while it arrives. */
export interface StreamingChunkStore extends ChunkStore {
  /**
   * Like `putChunk`, from a stream; hashes while it writes.
   *
   * @param source read once, in order; if it throws, nothing is kept and the error passes through.
   * @param options.sizeBytes declared size; more bytes than declared: OBJECT_TOO_LARGE, fewer: CHUNK_DIGEST_MISMATCH.
   */
  putChunkStream(
    chunkId: Digest,
    source: AsyncIterable<Uint8Array>,
    options?: PutChunkOptions & { readonly sizeBytes?: number | undefined },
  ): Promise<PutChunkResult>;
}

/** Whether a store writes streams. */
export function isStreamingChunkStore(store: ChunkStore): store is StreamingChunkStore {
  return "putChunkStream" in store && typeof store.putChunkStream === "function";
}

/** Options of {@link ProvingChunkStore.proveChunk}. */
export interface ProveChunkOptions extends CallOptions {
  /** The write grant under which the receipt is wanted. */
  readonly grant?: string | undefined;
}

/**
 * Claiming a chunk without sending its bytes, offered by remote stores to clients that hold a write grant. Knowing the digest gives no right to a
 * chunk; having its bytes does.
 */
export interface ProvingChunkStore extends ChunkStore {
  /**
   * Claims the chunk if the store holds it. `undefined` if it does not, or if the proof is wrong; the caller cannot tell which. Two round trips.
   *
   * @param prove answers SHA-256(nonce ‖ bytes of the chunk).
   * @throws {AshlarError} UNAUTHENTICATED, PERMISSION_DENIED, NODE_UNAVAILABLE.
   */
  proveChunk(
    chunkId: Digest,
    prove: (nonce: Uint8Array) => Digest | Promise<Digest>,
    options?: ProveChunkOptions,
  ): Promise<PutChunkResult | undefined>;
}

/** Whether a store takes proofs of possession. */
export function isProvingChunkStore(store: ChunkStore): store is ProvingChunkStore {
  return "proveChunk" in store && typeof store.proveChunk === "function";
}
