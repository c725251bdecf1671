import type { CollectReport } from "../engine/index.ts";
import type {
  AccessToken,
  AccessTokenRequest,
  BucketInfo,
  ClusterSnapshot,
  ObjectAttributes,
  ObjectListPage,
  PartInfo,
  WriteCondition,
} from "../ports/index.ts";
import type { ClientCallOptions, ClientWriteOptions } from "./call-options.ts";
import type { BucketHandle } from "./handles.ts";
import type {
  BucketRef,
  CompleteUploadInput,
  CopyObjectInput,
  CreateBucketOptions,
  CreateUploadInput,
  DeleteOutcomeForKey,
  GetObjectInput,
  GetObjectResult,
  ListEntry,
  ListObjectsInput,
  ListObjectsPageInput,
  ObjectRef,
  PutObjectInput,
  WritePartInput,
} from "./inputs.ts";
import type { ObjectInfo, PutObjectOutcome, UploadInfo } from "./results.ts";

/**
 * The object API, the same in every seat. All methods reject with an {@link AshlarError}.
 *
 * The client is opened lazily by its first call; a client that could not be opened tries again with the next call.
 *
 * Calls wait for servers that are away, restart or are busy, for RETRY_FOR_MS or as the seat's `retry` says. A write happens once, however often it
 * is tried. If its last answer was lost, it rejects with `details.outcome` "unknown": it may have happened.
 */
export interface ObjectClient {
  /** Makes a bucket. @throws {AshlarError} BUCKET_ALREADY_EXISTS unless `ifMissing` is set, INVALID_BUCKET_NAME. */
  createBucket(input: BucketRef & CreateBucketOptions): Promise<BucketInfo>;
  /** What is known of a bucket. @throws {AshlarError} BUCKET_NOT_FOUND. */
  headBucket(input: BucketRef & ClientCallOptions): Promise<BucketInfo>;
  /** All buckets, by name. */
  listBuckets(input?: ClientCallOptions): Promise<readonly BucketInfo[]>;
  /**
   * Deletes an empty bucket.
   *
   * @throws {AshlarError} BUCKET_NOT_EMPTY, whose `details.hasObjects` and `details.uploadCount` tell what is in it (unfinished uploads are in no
   *   listing of objects), BUCKET_NOT_FOUND.
   */
  deleteBucket(input: BucketRef & ClientWriteOptions): Promise<void>;

  /**
   * Writes an object of any length. Resolves when it is durable and visible; a refused write leaves nothing visible. If the server's last answer was
   * lost, or the call ended while it waited for an answer, `details.outcome` of the error is "unknown": the write may have happened.
   */
  putObject(input: PutObjectInput): Promise<PutObjectOutcome>;
  /** Opens an object for reading. @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, INVALID_RANGE, PRECONDITION_FAILED, NOT_MODIFIED. */
  getObject(input: GetObjectInput): Promise<GetObjectResult>;
  /** What is known of an object, without its bytes. @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, PRECONDITION_FAILED, NOT_MODIFIED. */
  headObject(input: Omit<GetObjectInput, "range">): Promise<ObjectInfo>;
  /** Deletes an object; `false` if there was none. */
  deleteObject(input: ObjectRef & WriteCondition & ClientWriteOptions): Promise<boolean>;
  /** Deletes up to DELETE_MANY_MAX objects; a key that fails does not stop the others. */
  deleteObjects(
    input: BucketRef & { readonly keys: readonly string[] } & ClientWriteOptions,
  ): Promise<readonly DeleteOutcomeForKey[]>;
  /** All entries in order, or the first `limit` of them; page after page. */
  listObjects(input: ListObjectsInput): AsyncIterable<ListEntry>;
  /** One page of a listing; `nextCursor` of the answer leads to the next. */
  listObjectsPage(input: ListObjectsPageInput): Promise<ObjectListPage>;
  /** Copies an object within the store; no bytes move. */
  copyObject(input: CopyObjectInput): Promise<ObjectInfo>;
  /**
   * Gives an object another name, with its attributes, in one step: nobody sees it under both names, or under none. Replaces an object that has the
   * new name, unless a condition says otherwise. No bytes move.
   *
   * @throws {AshlarError} OBJECT_NOT_FOUND, BUCKET_NOT_FOUND, PRECONDITION_FAILED; INVALID_ARGUMENT if both names are the same.
   */
  moveObject(input: Omit<CopyObjectInput, keyof ObjectAttributes>): Promise<ObjectInfo>;

  /** Begins an upload in parts; nothing is visible before {@link ObjectClient.completeUpload}. */
  createUpload(input: CreateUploadInput): Promise<UploadInfo>;
  /** Writes one part. Parts may be written in any order, and again. The part's etag goes into {@link ObjectClient.completeUpload}. */
  writePart(input: WritePartInput): Promise<PartInfo>;
  /** The parts stored so far, by number: what to skip when an upload goes on later. */
  listParts(input: { readonly uploadId: string } & ClientCallOptions): AsyncIterable<PartInfo>;
  /** Uploads that are neither completed nor aborted, by key. */
  listUploads(
    input: BucketRef & { readonly prefix?: string | undefined } & ClientCallOptions,
  ): AsyncIterable<UploadInfo>;
  /**
   * Makes the object from its parts; called again with the same parts, it answers the same for a day.
   *
   * @throws {AshlarError} INVALID_PART, UPLOAD_NOT_FOUND, PRECONDITION_FAILED.
   */
  completeUpload(input: CompleteUploadInput): Promise<ObjectInfo>;
  /** Gives an upload up; its parts are freed later. */
  abortUpload(input: { readonly uploadId: string } & ClientWriteOptions): Promise<void>;

  /** A handle: no I/O until something is asked of it. */
  bucket(bucket: string): BucketHandle;

  /** Frees what nothing names any more. @throws {AshlarError} UNSUPPORTED in seats where servers do it. */
  collect(input?: ClientCallOptions): Promise<CollectReport>;
  /** Nodes and layouts behind the seat, and what its background work has still to do (`work`). @throws {AshlarError} UNSUPPORTED where there is no cluster. */
  cluster(input?: ClientCallOptions): Promise<ClusterSnapshot>;

  /**
   * Makes a short-lived token for one bucket, or for the keys under a prefix of it, for programs that must hold no API key: an app's server makes
   * it, a page uses it as its `apiKey`. It never allows more than the API key that makes it, and expires with that key at the latest.
   *
   * @throws {AshlarError} BUCKET_NOT_FOUND; PERMISSION_DENIED for a role above the API key's and for a client that has a token itself;
   *   UNSUPPORTED in the embedded seat, and at a gateway that runs insecure.
   */
  createAccessToken(input: AccessTokenRequest & ClientCallOptions): Promise<AccessToken>;

  /**
   * Ends all running calls with STORE_CLOSED, whatever they wait for (a server, the app's `apiKey` function, another try, a body), aborts their
   * requests and releases everything. A write whose request was under way may have happened: `details.outcome` is "unknown". Idempotent.
   */
  close(): Promise<void>;
  /** `close()`, for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** The client's methods that do something: all but those that give a handle or close the client. */
export type ClientCalls = Omit<ObjectClient, "bucket" | "close" | typeof Symbol.asyncDispose>;

/** How each method answers: once, or with many values, page after page. */
export const CLIENT_CALLS: { readonly [Name in keyof ClientCalls]: "one" | "many" } = {
  createBucket: "one",
  headBucket: "one",
  listBuckets: "one",
  deleteBucket: "one",
  putObject: "one",
  getObject: "one",
  headObject: "one",
  deleteObject: "one",
  deleteObjects: "one",
  listObjects: "many",
  listObjectsPage: "one",
  copyObject: "one",
  moveObject: "one",
  createUpload: "one",
  writePart: "one",
  listParts: "many",
  listUploads: "many",
  completeUpload: "one",
  abortUpload: "one",
  collect: "one",
  cluster: "one",
  createAccessToken: "one",
};
