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

/** Bounds what all reads of a server hold at once: many ask, and some never take what they asked for. */
export interface ReadBudget {
  /** Takes bytes before they are fetched, as soon as they are to be had. */
  take(bytes: number, options?: CallOptions): Promise<GiveBack>;
  /** The same for bytes that are fetched ahead of their reader: at once, or `undefined`. */
  tryTake(bytes: number): GiveBack | undefined;
}

/** Gives bytes back; calling it again does nothing. @param keptBytes that are not given back yet; default none. */
export type GiveBack = (keptBytes?: number) => void;

/** Options of a read. */
export interface ReadTransferOptions extends TransferOptions {
  /** With it, chunks are fetched ahead only as their reader takes those before, and as the budget has room. Default: the app's own memory. */
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
   * What is checked before bytes are released. `blocks` (default): whole chunks against their SHA-256, here; parts of a chunk against the CRC-32 of their
   * 64 KiB blocks, by whoever stores them, which finds damage but not a forger. `chunks`: each chunk that the range touches is fetched whole and
   * checked against its SHA-256 here, at the price of up to two chunks more than the range.
   */
  readonly verify?: "blocks" | "chunks" | undefined;
}

/** An object opened for reading: its info is known, its bytes flow when asked. */
export interface OpenedObject {
  readonly info: ObjectInfo;
  /** The range that will be delivered, within [0, info.sizeBytes]. */
  readonly offset: number;
  readonly length: number;
  /**
   * The bytes, in order, checked before release; may be called once. Breaking out of the loop stops all transfers.
   * Slices are the consumer's to keep.
   */
  read(): AsyncIterable<Uint8Array>;
  /** The chunks that the range touches, in order, for those who read them by themselves instead. Absent where it touches none. */
  readonly chunks?: (() => AsyncIterable<LocatedChunk>) | undefined;
}

/** A part of an upload, without its bytes. */
export interface WritePartRequest {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
}

/** What the engine makes of the catalog for whole objects: it is not passed through. */
type ByTheEngine = "commitObject" | "getObject" | "getManifestPage";

/**
 * The object API in its raw form, as the engine provides it in every seat: to the client's face in an app, to the RPC and HTTP faces in a
 * gateway. Bodies are streams of slices of any size, read once.
 */
export interface ObjectBackend extends BucketCatalog, Omit<ObjectCatalog, ByTheEngine> {
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
