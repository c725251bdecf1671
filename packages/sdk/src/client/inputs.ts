import type { Chunker } from "../chunking/chunker.ts";
import type {
  ByteRange,
  Durability,
  GetObjectRequest,
  ObjectAttributes,
  ObjectListEntry,
  WriteCondition,
} from "../ports/index.ts";
import type { ObjectBody } from "./body-source.ts";
import type { ClientCallOptions, ClientTransferOptions, ClientWriteOptions } from "./call-options.ts";
import type { ObjectInfo } from "./results.ts";

/** Names one bucket. */
export interface BucketRef {
  readonly bucket: string;
}

/** How to make a bucket. */
export interface CreateBucketOptions extends ClientWriteOptions {
  /** If true, a bucket that exists already is the answer, and no error; default false. */
  readonly ifMissing?: boolean | undefined;
}

/** Names one object. */
export interface ObjectRef extends BucketRef {
  readonly key: string;
}

/** How to write; where and what are in {@link PutObjectInput}. */
export interface PutOptions extends ObjectAttributes, WriteCondition, ClientTransferOptions, ClientWriteOptions {
  /** Length of the body, if the body itself does not declare it; another length is INVALID_ARGUMENT. */
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
  /** `chunks`: checks a range end to end too, by whole chunks; default `blocks`, see {@link GetObjectRequest}. */
  readonly verify?: GetObjectRequest["verify"];
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
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** All bytes as UTF-8 text. */
  text(): Promise<string>;
  /** @throws {AshlarError} INVALID_ARGUMENT if the object is not JSON. */
  json(): Promise<unknown>;
  /** The bytes as a web stream; cancelling it stops the transfer. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The bytes as they arrive; leaving the loop stops the transfer. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
}

/** One entry of a listing: an object, or a common prefix where a delimiter was given. */
export type ListEntry =
  | ({ readonly type: "object" } & ObjectListEntry)
  | { readonly type: "prefix"; readonly prefix: string };

/** What to list. */
export interface ListQuery extends BucketRef, ClientCallOptions {
  readonly prefix?: string | undefined;
  /** Rolls keys up to its first occurrence after the prefix. */
  readonly delimiter?: string | undefined;
  readonly startAfter?: string | undefined;
}

/** @see ObjectClient.listObjects */
export interface ListObjectsInput extends ListQuery {
  /** Ends the listing after this many entries; default: all of them. */
  readonly limit?: number | undefined;
  /** Entries that are asked for at once, 1 to LIST_LIMIT_MAX; default: as many as are needed. */
  readonly pageSize?: number | undefined;
}

/** @see ObjectClient.listObjectsPage */
export interface ListObjectsPageInput extends ListQuery {
  /** Entries of the page, 1 to LIST_LIMIT_MAX; default LIST_LIMIT_DEFAULT. */
  readonly limit?: number | undefined;
  /** Where to go on: `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** Outcome for one key of `deleteObjects`. */
export interface DeleteOutcomeForKey {
  readonly key: string;
  /** False if there was no such object, or on an error. */
  readonly deleted: boolean;
  readonly error?: Error | undefined;
}

/**
 * If any attribute is given, the given ones replace all of the source's. If none is, the copy has the source's. To drop all, give `metadata: {}`.
 *
 * @see ObjectClient.copyObject
 */
export interface CopyObjectInput extends ObjectRef, ObjectAttributes, WriteCondition, ClientWriteOptions {
  readonly sourceBucket: string;
  readonly sourceKey: string;
  readonly sourceIfMatch?: string | undefined;
}

/** @see ObjectClient.createUpload */
export interface CreateUploadInput extends ObjectRef, ObjectAttributes, ClientWriteOptions {
  readonly durability?: Durability | undefined;
}

/** @see ObjectClient.writePart */
export interface WritePartInput extends ClientTransferOptions, ClientWriteOptions {
  readonly uploadId: string;
  /** 1 to PART_NUMBER_MAX. */
  readonly partNumber: number;
  readonly body: ObjectBody;
  readonly sha256?: string | undefined;
}

/** @see ObjectClient.completeUpload */
export interface CompleteUploadInput extends WriteCondition, ClientWriteOptions {
  readonly uploadId: string;
  readonly parts: ReadonlyArray<{ readonly partNumber: number; readonly etag: string }>;
  /**
   * SHA-256 of the whole object in hex. With one part whose digest is known it must be that digest, or the call fails with CHECKSUM_MISMATCH.
   * Otherwise nobody can check it: it is ignored, and the object has no `sha256`.
   */
  readonly sha256?: string | undefined;
}
