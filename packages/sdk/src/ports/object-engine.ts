import type { Chunker } from "../chunking/chunker.ts";
import type { CallOptions } from "./chunk-store.ts";
import type { Durability } from "./durability.ts";
import type { BucketCatalog, ObjectCatalog } from "./metadata-store.ts";
import type { CommitCondition, LocatedChunk, ObjectAttributes, ObjectInfo, WriteCondition } from "./objects.ts";
import type {
  CompleteUpload,
  CreateUpload,
  ListPartsQuery,
  ListUploadsQuery,
  PartInfo,
  PartPage,
  UploadInfo,
  UploadPage,
} from "./uploads.ts";
import type { WriteOptions } from "./write-options.ts";

/** One progress event. `transferredBytes` never decreases and counts each byte once, however often a chunk is retried. */
export interface TransferProgress {
  readonly transferredBytes: number;
  /** Absent while the length is unknown. */
  readonly totalBytes?: number | undefined;
}

/** Options of a transfer in either direction. */
export interface TransferOptions extends CallOptions {
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Chunks in flight, 1 to CONCURRENCY_MAX; default CONCURRENCY_DEFAULT. Memory is bounded by chunk size × (concurrency + 2). */
  readonly concurrency?: number | undefined;
}

/** Bounds the memory that all reads of a server hold together: there are many readers, and some never read what they asked for. */
export interface ReadBudget {
  /** Reserves bytes before they are fetched; waits a bounded time until the budget has room. @throws {AshlarError} OVERLOADED after that. */
  take(bytes: number, options?: CallOptions): Promise<GiveBack>;
  /** Reserves bytes that are fetched ahead of their reader. Does not wait: `undefined` if there is no room now. */
  tryTake(bytes: number): GiveBack | undefined;
}

/** Gives reserved bytes back; a repeated call does nothing. @param keptBytes how many stay reserved; default 0. */
export type GiveBack = (keptBytes?: number) => void;

/** Options of a read. */
export interface ReadTransferOptions extends TransferOptions {
  /** Chunks are fetched ahead only as the reader takes the earlier ones and the budget has room. Default: only `concurrency` bounds them. */
  readonly budget?: ReadBudget | undefined;
}

/** Options of a transfer that ends with a write. */
export interface WriteTransferOptions extends TransferOptions, WriteOptions {}

/** What to write, without the bytes. */
export interface PutObjectRequest {
  readonly bucket: string;
  readonly key: string;
  readonly attributes: ObjectAttributes;
  /** Length of the body where it is known; a body of another length is INVALID_ARGUMENT. */
  readonly sizeBytes?: number | undefined;
  readonly condition?: CommitCondition | undefined;
  readonly chunker?: Chunker | undefined;
  readonly durability?: Durability | undefined;
  /** SHA-256 in hex that the caller expects; CHECKSUM_MISMATCH and nothing visible if the bytes differ. */
  readonly sha256?: string | undefined;
}

/** What a write did. */
export interface PutObjectOutcome extends ObjectInfo {
  /** Fewest copies that any chunk had durably when the write was acknowledged; 1 for inline objects and single stores. */
  readonly replicas: number;
  readonly chunkCount: number;
  /** Bytes that the store held already. */
  readonly deduplicatedBytes: number;
}

/** A byte range: `offset` from the start (negative: from the end), `length` bytes (default: up to the end). */
export interface ByteRange {
  readonly offset: number;
  readonly length?: number | undefined;
}

/** What to read. */
export interface GetObjectRequest {
  readonly bucket: string;
  readonly key: string;
  readonly objectVersion?: string | undefined;
  /** Cut at the object's end; INVALID_RANGE if it starts past it. */
  readonly range?: ByteRange | undefined;
  /** On a read: `ifMatch` → PRECONDITION_FAILED, `ifNoneMatch` → NOT_MODIFIED. */
  readonly condition?: WriteCondition | undefined;
  /**
   * What is checked before bytes are released. `blocks` (default): whole chunks are checked here against their SHA-256; parts of a chunk are checked
   * where they are stored, against the CRC-32 of their 64 KiB blocks, which finds damage but not forgery. `chunks`: each chunk that the range touches
   * is fetched whole and checked here against its SHA-256; that costs up to two chunks more than the range.
   */
  readonly verify?: "blocks" | "chunks" | undefined;
}

/** An object opened for reading: its info is known, its bytes are fetched on demand. */
export interface OpenedObject {
  readonly info: ObjectInfo;
  /** The range that will be delivered, within [0, info.sizeBytes]. */
  readonly offset: number;
  readonly length: number;
  /**
   * The bytes, in order, checked before release; may be called once. Breaking out of the loop stops all transfers.
   * The reader may keep the slices.
   */
  read(): AsyncIterable<Uint8Array>;
  /** The chunks that the range touches, in order, for callers that read them themselves. Absent if it touches none. */
  readonly chunks?: (() => AsyncIterable<LocatedChunk>) | undefined;
}

/** A part of an upload, without its bytes. */
export interface WritePartRequest {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
}

/** Catalog methods that the engine uses for whole objects and does not pass through. */
type ByTheEngine = "commitObject" | "getObject" | "getManifestPage";

/**
 * The object API in its raw form, as the engine provides it in every seat. In an app `ObjectClient` is built on it, in a gateway the RPC and HTTP
 * APIs are. Bodies are streams of slices of any size, read once.
 */
export interface ObjectEngine extends BucketCatalog, Omit<ObjectCatalog, ByTheEngine> {
  putObject(
    request: PutObjectRequest,
    body: AsyncIterable<Uint8Array>,
    options?: WriteTransferOptions,
  ): Promise<PutObjectOutcome>;
  /** @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, INVALID_RANGE, PRECONDITION_FAILED, NOT_MODIFIED. */
  openObject(request: GetObjectRequest, options?: ReadTransferOptions): Promise<OpenedObject>;
  headObject(request: Omit<GetObjectRequest, "range">, options?: CallOptions): Promise<ObjectInfo>;
  /** @param request.durability default: the seat's. */
  createUpload(
    request: Omit<CreateUpload, "durability"> & { readonly durability?: Durability | undefined },
    options?: WriteOptions,
  ): Promise<UploadInfo>;
  writePart(
    request: WritePartRequest,
    body: AsyncIterable<Uint8Array>,
    options?: WriteTransferOptions,
  ): Promise<PartInfo>;
  listParts(query: ListPartsQuery, options?: CallOptions): Promise<PartPage>;
  listUploads(query: ListUploadsQuery, options?: CallOptions): Promise<UploadPage>;
  completeUpload(request: CompleteUpload, options?: WriteOptions): Promise<ObjectInfo>;
  abortUpload(uploadId: string, options?: WriteOptions): Promise<void>;
  /** Ends running transfers with STORE_CLOSED and releases everything that the seat opened. Idempotent. */
  close(): Promise<void>;
}
