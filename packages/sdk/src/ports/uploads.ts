import type { Durability } from "./durability.ts";
import type { ChunkedContent, CommitCondition, ObjectAttributes } from "./objects.ts";

/** Starts a multipart upload. */
export interface CreateUpload {
  readonly bucket: string;
  readonly key: string;
  readonly attributes: ObjectAttributes;
  readonly durability: Durability;
}

/** A multipart upload in progress. */
export interface UploadInfo {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly createdAtMs: number;
  readonly attributes: ObjectAttributes;
  readonly durability: Durability;
}

/** A part that is stored. */
export interface PartInfo {
  /** 1 to PART_NUMBER_MAX. */
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  /** SHA-256 of the part in hex. */
  readonly sha256?: string | undefined;
  readonly createdAtMs: number;
}

/** Records a part whose chunks are stored; a part of the same number is replaced. */
export interface PutPart {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly sha256?: string | undefined;
  readonly content: ChunkedContent;
  readonly ticket?: string | undefined;
}

/** Ends an upload: the parts named, in ascending order of their numbers, become the object; others are released. */
export interface CompleteUpload {
  readonly uploadId: string;
  readonly parts: ReadonlyArray<{ readonly partNumber: number; readonly etag: string }>;
  /**
   * SHA-256 of the whole object in hex as the uploader declares it. With one part whose digest is known it must be that one, or the call fails
   * with CHECKSUM_MISMATCH and the upload stays; otherwise nobody can check it and it is ignored: the object has no `sha256`.
   */
  readonly sha256?: string | undefined;
  readonly condition?: CommitCondition | undefined;
}

/** Which parts of an upload to list. */
export interface ListPartsQuery {
  readonly uploadId: string;
  /** Only parts above this number. */
  readonly afterPartNumber?: number | undefined;
  readonly limit?: number | undefined;
}

/** One page of an upload's parts. */
export interface PartPage {
  readonly parts: readonly PartInfo[];
  /** Pass as `afterPartNumber` for the next page; absent at the end. */
  readonly nextPartNumber?: number | undefined;
}

/** Which uploads of a bucket to list. */
export interface ListUploadsQuery {
  readonly bucket: string;
  readonly prefix?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** One page of a bucket's uploads. */
export interface UploadPage {
  /** Ordered by key, then upload id. */
  readonly uploads: readonly UploadInfo[];
  readonly nextCursor?: string | undefined;
}
