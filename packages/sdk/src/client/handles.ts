import type { BucketInfo, ObjectInfo, PutObjectOutcome } from "../ports/index.ts";
import type { ObjectBody } from "./body-source.ts";
import type { ClientCallOptions, ClientTransferOptions } from "./call-options.ts";
import type { GetObjectResult, GetOptions, ListEntry, ListObjectsInput, PutOptions } from "./inputs.ts";

/** A bucket by name; no I/O until something is asked of it. */
export interface BucketHandle {
  readonly name: string;
  object(key: string): ObjectHandle;
  create(options?: ClientCallOptions): Promise<BucketInfo>;
  list(options?: Omit<ListObjectsInput, "bucket" | "cursor">): AsyncIterable<ListEntry>;
  delete(options?: ClientCallOptions): Promise<void>;
}

/** An object by name; no I/O until something is asked of it. */
export interface ObjectHandle {
  readonly bucket: string;
  readonly key: string;
  put(body: ObjectBody, options?: PutOptions): Promise<PutObjectOutcome>;
  get(options?: GetOptions): Promise<GetObjectResult>;
  bytes(options?: ClientTransferOptions): Promise<Uint8Array>;
  text(options?: ClientTransferOptions): Promise<string>;
  /** @throws {AshlarError} INVALID_ARGUMENT if the object is not JSON. */
  json(options?: ClientTransferOptions): Promise<unknown>;
  /** The bytes as a web stream that opens the object when it is first read. */
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array>;
  head(options?: ClientCallOptions): Promise<ObjectInfo>;
  exists(options?: ClientCallOptions): Promise<boolean>;
  delete(options?: ClientCallOptions): Promise<boolean>;
  /** The bytes from `start` up to but not including `end` (default: the end), as `Blob.slice`; negative values count from the end. */
  slice(start: number, end?: number): ObjectSlice;
}

/** A range of an object; no I/O until its bytes are asked for. */
export interface ObjectSlice {
  bytes(options?: ClientTransferOptions): Promise<Uint8Array>;
  text(options?: ClientTransferOptions): Promise<string>;
  stream(options?: ClientTransferOptions): ReadableStream<Uint8Array>;
}
