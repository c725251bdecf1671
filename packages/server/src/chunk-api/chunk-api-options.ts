import type { Digest, Hasher } from "@ashlar/sdk/hash";
import type { CallOptions, ChunkHolders, ChunkStore } from "@ashlar/sdk/ports";
import type { GrantKeeper } from "../grants/index.ts";
import type { BufferPool } from "../http/buffer-pool.ts";

/** State of the server behind a chunk API. `read-only`: the disk is full. `stopping`: it finishes what runs. */
export type ChunkApiStatus = "serving" | "read-only" | "stopping";

/** What a receipt is to say. */
export interface ReceiptFacts {
  readonly ticketId: string;
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  /** As the store reported; only a replicated store does. */
  readonly holders: ChunkHolders | undefined;
  /** When it ends at the latest. */
  readonly notAfterMs: number | undefined;
}

/** Options of {@link createChunkApi}. */
export interface ChunkApiOptions {
  /** Where chunks go: written as a stream if the store can (`StreamingChunkStore`), otherwise from bounded memory. */
  readonly store: ChunkStore;
  /** Verifies grants and signs receipts. Absent: everybody may do everything, and there are no receipts. */
  readonly grants?: GrantKeeper | undefined;
  readonly nodeId: string;
  /** Default: the store's, at most CHUNK_MAX_BYTES_DEFAULT. */
  readonly chunkMaxBytes?: number | undefined;
  readonly status: () => ChunkApiStatus;
  readonly uptimeMs: () => number;
  readonly softwareVersion: string;
  /** For digests of chunks that the store does not write as a stream, and for proofs of possession. */
  readonly hasher: Hasher;
  /** Signs a receipt; default: a node's, with the node id. */
  readonly issueReceipt?: ((facts: ReceiptFacts) => Promise<string>) | undefined;
  /** Whether chunks can be deleted and listed here: yes on a node (default), no on a gateway. */
  readonly maintenance?: boolean | undefined;
  /**
   * Lets holders of a write grant claim a chunk that is here by proving that they have its bytes, SHA-256(nonce ‖ bytes), instead of sending them.
   * Default: off. A wrong proof takes longer if the chunk is here than if it is not, so a caller that knows a digest learns whether somebody has such
   * bytes.
   */
  readonly proofsOfPossession?: boolean | undefined;
  /** Where chunks are read from; default `store`. */
  readonly readFrom?: ((options: CallOptions) => Promise<ChunkStore>) | undefined;
  /**
   * Reads a whole chunk in one call of the store, however large it is, if the store cannot open chunks: a store with several copies then checks it
   * against its digest, and asks for another copy, before a byte is sent. Default: slices of 4 MiB.
   */
  readonly wholeInOneCall?: boolean | undefined;
  /** Memory for pieces of chunks on their way to a socket; default: buffers of its own. */
  readonly buffers?: BufferPool | undefined;
  /** Refuses writes early, for instance with DISK_FULL. */
  readonly assertWritable?: (() => void | Promise<void>) | undefined;
  /** Called for each chunk that somebody wanted to read, who may, and that is not here. */
  readonly onAbsent?: ((chunkId: Digest) => void) | undefined;
  /** Called for each write that failed. */
  readonly onWriteFailed?: ((error: unknown) => void) | undefined;
}
