import type { BucketInfo } from "../ports/index.ts";
import type { ObjectBody } from "./body-source.ts";
import type { ClientCallOptions, ClientTransferOptions } from "./call-options.ts";
import type {
  CreateBucketOptions,
  GetObjectResult,
  GetOptions,
  ListEntry,
  ListObjectsInput,
  PutOptions,
} from "./inputs.ts";
import type { ObjectInfo, PutObjectOutcome } from "./results.ts";

/** A bucket by name; no I/O until something is asked of it. */
export interface BucketHandle {
  readonly name: string;
  /** An object of the bucket; no I/O. */
  object(key: string): ObjectHandle;
  /** @see ObjectClient.createBucket */
  create(options?: CreateBucketOptions): Promise<BucketInfo>;
  /** @see ObjectClient.listObjects */
  list(options?: Omit<ListObjectsInput, "bucket">): AsyncIterable<ListEntry>;
  /** @see ObjectClient.deleteBucket */
  delete(options?: ClientCallOptions): Promise<void>;
}

/** An object by name; no I/O until something is asked of it. */
export interface ObjectHandle {
  readonly bucket: string;
  readonly key: string;
  /** @see ObjectClient.putObject */
  put(body: ObjectBody, options?: PutOptions): Promise<PutObjectOutcome>;
  /** @see ObjectClient.getObject */
  get(options?: GetOptions): Promise<GetObjectResult>;
  /** All bytes in one array; mind the size. */
  bytes(options?: ClientTransferOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** All bytes as UTF-8 text. */
  text(options?: ClientTransferOptions): Promise<string>;
  /** @throws {AshlarError} INVALID_ARGUMENT if the object is not JSON. */
  json(options?: ClientTransferOptions): Promise<unknown>;
  /** The bytes as a web stream that opens the object when it is first read. */
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** @see ObjectClient.headObject */
  head(options?: ClientCallOptions): Promise<ObjectInfo>;
  /** Whether there is such an object; a missing bucket is an error. */
  exists(options?: ClientCallOptions): Promise<boolean>;
  /** @see ObjectClient.deleteObject */
  delete(options?: ClientCallOptions): Promise<boolean>;
  /** The bytes from `start` up to but not including `end` (default: the end), as `Blob.slice`: negative values count from the end, positions outside
   * the object are moved to its start or end, and fractions are rounded. */
  slice(start: number, end?: number): ObjectSlice;
}

/** A range of an object; no I/O until its bytes are asked for. */
export interface ObjectSlice {
  /** The range in one array. */
  bytes(options?: ClientTransferOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** The range as UTF-8 text; cut characters become U+FFFD. */
  text(options?: ClientTransferOptions): Promise<string>;
  /** The range as a web stream that opens the object when it is first read. */
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array<ArrayBuffer>>;
}
