import type { Chunker } from "../chunking/chunker.ts";
import type { CollectReport } from "../engine/index.ts";
import type {
  BucketInfo,
  ByteRange,
  ClusterSnapshot,
  Durability,
  ObjectAttributes,
  ObjectInfo,
  ObjectListEntry,
  ObjectListPage,
  PartInfo,
  PutObjectOutcome,
  UploadInfo,
  WriteCondition,
} from "../ports/index.ts";
import type { ObjectBody } from "./body-source.ts";
import type { BucketHandle } from "./bucket-handle.ts";
import type { ClientCallOptions, ClientTransferOptions } from "./call-options.ts";

/** Names one bucket. */
export interface BucketRef {
  readonly bucket: string;
}

/** Names one object. */
export interface ObjectRef extends BucketRef {
  readonly key: string;
}

/** How to write, beside where and what. */
export interface PutOptions extends ObjectAttributes, WriteCondition, ClientTransferOptions {
  /** Length of the body where the body does not tell it itself; another length is INVALID_ARGUMENT. */
  readonly sizeBytes?: number | undefined;
  /** Where to cut the body; default `fixed(CHUNK_DEFAULT_BYTES)`. */
  readonly chunker?: Chunker | undefined;
  readonly durability?: Durability | undefined;
  /** SHA-256 in hex that the body must have; CHECKSUM_MISMATCH and nothing written otherwise. */
  readonly sha256?: string | undefined;
}

/** @see ObjectClient.putObject */
export interface PutObjectInput extends ObjectRef, PutOptions {
  readonly body: ObjectBody;
}

/** How to read. */
export interface GetOptions extends WriteCondition, ClientTransferOptions {
  readonly range?: ByteRange | undefined;
  readonly objectVersion?: string | undefined;
}

/** @see ObjectClient.getObject */
export interface GetObjectInput extends ObjectRef, GetOptions {}

/** An object that is being read. Its bytes can be taken once, in one of the forms. */
export interface GetObjectResult extends ObjectInfo {
  /** First byte that is delivered, and how many. */
  readonly offset: number;
  readonly length: number;
  /** All bytes in one array; mind the size. */
  bytes(): Promise<Uint8Array>;
  /** All bytes as UTF-8 text. */
  text(): Promise<string>;
  json(): Promise<unknown>;
  /** The bytes as a web stream; cancelling it stops the transfer. */
  stream(): ReadableStream<Uint8Array>;
  /** The bytes as they arrive; leaving the loop stops the transfer. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array>;
}

/** One entry of a listing: an object, or a common prefix where a delimiter was given. */
export type ListEntry =
  | ({ readonly type: "object" } & ObjectListEntry)
  | { readonly type: "prefix"; readonly prefix: string };

/** @see ObjectClient.listObjects */
export interface ListObjectsInput extends BucketRef, ClientCallOptions {
  readonly prefix?: string | undefined;
  /** Rolls keys up to its first occurrence after the prefix. */
  readonly delimiter?: string | undefined;
  readonly startAfter?: string | undefined;
  /** Entries per page, 1 to LIST_LIMIT_MAX. */
  readonly limit?: number | undefined;
  /** Of `listObjectsPage`: where to go on. */
  readonly cursor?: string | undefined;
}

/** Outcome for one key of `deleteObjects`. */
export interface DeleteOutcomeForKey {
  readonly key: string;
  /** False if there was no such object, or on an error. */
  readonly deleted: boolean;
  readonly error?: Error | undefined;
}

/** @see ObjectClient.copyObject */
export interface CopyObjectInput extends ObjectRef, WriteCondition, ClientCallOptions {
  readonly sourceBucket: string;
  readonly sourceKey: string;
  readonly sourceIfMatch?: string | undefined;
  /** Replaces the attributes; default: the source's. */
  readonly attributes?: ObjectAttributes | undefined;
}

/** @see ObjectClient.createUpload */
export interface CreateUploadInput extends ObjectRef, ObjectAttributes, ClientCallOptions {
  readonly durability?: Durability | undefined;
}

/** @see ObjectClient.writePart */
export interface WritePartInput extends ClientTransferOptions {
  readonly uploadId: string;
  /** 1 to PART_NUMBER_MAX. */
  readonly partNumber: number;
  readonly body: ObjectBody;
  readonly sha256?: string | undefined;
}

/** @see ObjectClient.completeUpload */
export interface CompleteUploadInput extends WriteCondition, ClientCallOptions {
  readonly uploadId: string;
  readonly parts: ReadonlyArray<{ readonly partNumber: number; readonly etag: string }>;
  readonly sha256?: string | undefined;
}

/**
 * The object API, the same in every seat. All methods reject with an {@link AshlarError}.
 *
 * The client is opened lazily by its first call; a client that could not be opened tries again with the next call.
 */
export interface ObjectClient extends AsyncDisposable {
  createBucket(input: BucketRef & ClientCallOptions): Promise<BucketInfo>;
  /** @throws {AshlarError} BUCKET_NOT_FOUND. */
  headBucket(input: BucketRef & ClientCallOptions): Promise<BucketInfo>;
  listBuckets(input?: ClientCallOptions): Promise<readonly BucketInfo[]>;
  deleteBucket(input: BucketRef & ClientCallOptions): Promise<void>;

  /** Writes an object of any length. Resolves when it is durable and visible; if it rejects, nothing is visible. */
  putObject(input: PutObjectInput): Promise<PutObjectOutcome>;
  /** Opens an object for reading. @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, INVALID_RANGE, PRECONDITION_FAILED, NOT_MODIFIED. */
  getObject(input: GetObjectInput): Promise<GetObjectResult>;
  headObject(input: Omit<GetObjectInput, "range">): Promise<ObjectInfo>;
  /** `false` if there was none. */
  deleteObject(input: ObjectRef & WriteCondition & ClientCallOptions): Promise<boolean>;
  /** Deletes up to DELETE_MANY_MAX objects; a key that fails does not stop the others. */
  deleteObjects(
    input: BucketRef & { readonly keys: readonly string[] } & ClientCallOptions,
  ): Promise<readonly DeleteOutcomeForKey[]>;
  /** All entries in order, page after page. */
  listObjects(input: Omit<ListObjectsInput, "cursor">): AsyncIterable<ListEntry>;
  listObjectsPage(input: ListObjectsInput): Promise<ObjectListPage>;
  copyObject(input: CopyObjectInput): Promise<ObjectInfo>;

  createUpload(input: CreateUploadInput): Promise<UploadInfo>;
  writePart(input: WritePartInput): Promise<PartInfo>;
  listParts(input: { readonly uploadId: string } & ClientCallOptions): AsyncIterable<PartInfo>;
  listUploads(
    input: BucketRef & { readonly prefix?: string | undefined } & ClientCallOptions,
  ): AsyncIterable<UploadInfo>;
  completeUpload(input: CompleteUploadInput): Promise<ObjectInfo>;
  abortUpload(input: { readonly uploadId: string } & ClientCallOptions): Promise<void>;

  /** A handle: no I/O until something is asked of it. */
  bucket(bucket: string): BucketHandle;

  /** Frees what nothing names any more. @throws {AshlarError} UNSUPPORTED in seats where servers do it. */
  collect(input?: ClientCallOptions): Promise<CollectReport>;
  /** Servers and layouts behind the seat. @throws {AshlarError} UNSUPPORTED where there is no cluster. */
  cluster(input?: ClientCallOptions): Promise<ClusterSnapshot>;

  /** Ends running calls with STORE_CLOSED and releases everything. Idempotent. */
  close(): Promise<void>;
}
