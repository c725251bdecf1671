/**
 * The error taxonomy: one table, from which every face (Connect, plain HTTP, S3, CLI exit codes, docs) takes its own column.
 *
 * Codes are stable within a major version, messages are not. `proto/ashlar/v1/error.proto` has the same names as an enum and
 * `docs/errors.md` is generated from this table; a test compares both, so this file imports nothing.
 */

/** Connect's code names in the wire spelling of the Connect protocol. */
export type ConnectCodeName =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/** Who may try again: nobody, the engine by itself after a backoff, or only the caller, who knows whether it makes sense. */
export type RetryRule = "never" | "backoff" | "caller";

/** One row of the table. */
export interface ErrorCodeRow {
  /** When this happens, in one phrase; shown in docs/errors.md. */
  readonly when: string;
  readonly connect: ConnectCodeName;
  /** HTTP status of the plain HTTP faces (problem+json). */
  readonly http: number;
  /** S3 error code, kept here so that the S3 face cannot drift; "-" where S3 never sees it. */
  readonly s3: string;
  readonly retry: RetryRule;
}

const row = (
  when: string,
  connect: ConnectCodeName,
  http: number,
  s3: string,
  retry: RetryRule = "never",
): ErrorCodeRow => Object.freeze({ when, connect, http, s3, retry });

/** Every error code with its meaning on each face. Order is documentation order. */
export const ERROR_CODES = Object.freeze({
  INVALID_ARGUMENT: row("a parameter is missing or bad", "invalid_argument", 400, "InvalidArgument"),
  INVALID_BUCKET_NAME: row("a bucket name breaks the naming rules", "invalid_argument", 400, "InvalidBucketName"),
  OBJECT_TOO_LARGE: row("a body, chunk or message is over a limit", "invalid_argument", 413, "EntityTooLarge"),
  CHECKSUM_MISMATCH: row(
    "a checksum that the caller declared differs from the bytes received; nothing is kept",
    "invalid_argument",
    400,
    "BadDigest",
    "caller",
  ),
  INVALID_RANGE: row("the byte range lies outside the object or chunk", "out_of_range", 416, "InvalidRange"),
  INVALID_PART: row("a named part is missing, differs, or is out of order", "invalid_argument", 400, "InvalidPart"),
  UPLOAD_NOT_FOUND: row("the upload is unknown, expired, aborted or complete", "not_found", 404, "NoSuchUpload"),
  BUCKET_NOT_FOUND: row("no such bucket", "not_found", 404, "NoSuchBucket"),
  OBJECT_NOT_FOUND: row("no such object", "not_found", 404, "NoSuchKey"),
  CHUNK_NOT_FOUND: row("the storage node does not hold this chunk", "not_found", 404, "-"),
  SERVER_NOT_FOUND: row("no such storage server is registered", "not_found", 404, "-"),
  BUCKET_ALREADY_EXISTS: row("the bucket name is taken", "already_exists", 409, "BucketAlreadyExists"),
  BUCKET_NOT_EMPTY: row("only an empty bucket can be deleted", "failed_precondition", 409, "BucketNotEmpty"),
  PRECONDITION_FAILED: row("ifMatch or ifNoneMatch does not hold", "failed_precondition", 412, "PreconditionFailed"),
  NOT_MODIFIED: row(
    "ifNoneMatch holds on a read: the caller's copy is current",
    "failed_precondition",
    304,
    "NotModified",
  ),
  UNAUTHENTICATED: row("credentials are missing, unknown or expired", "unauthenticated", 401, "InvalidAccessKeyId"),
  PERMISSION_DENIED: row("the credentials or the grant do not allow this", "permission_denied", 403, "AccessDenied"),
  LAYOUT_STALE: row("the caller's layout version is no longer in use; upload again", "aborted", 409, "-", "caller"),
  CLAIM_EXPIRED: row(
    "a chunk of the commit is not held under a valid claim any more; upload it again",
    "aborted",
    409,
    "-",
    "caller",
  ),
  CHUNK_MISSING: row("a manifest names a chunk that no replica holds", "data_loss", 500, "InternalError"),
  CHUNK_CORRUPT: row("stored bytes differ from what was written", "data_loss", 500, "InternalError", "caller"),
  CHUNK_DIGEST_MISMATCH: row(
    "received bytes do not have the chunk id as their SHA-256; nothing is kept",
    "data_loss",
    422,
    "BadDigest",
    "backoff",
  ),
  QUORUM_NOT_REACHED: row(
    "too few replicas acknowledged the write",
    "unavailable",
    503,
    "ServiceUnavailable",
    "backoff",
  ),
  NODE_UNAVAILABLE: row(
    "a server cannot be reached or is shutting down",
    "unavailable",
    503,
    "ServiceUnavailable",
    "backoff",
  ),
  METADATA_UNAVAILABLE: row(
    "the metadata database cannot be reached",
    "unavailable",
    503,
    "ServiceUnavailable",
    "backoff",
  ),
  DISK_FULL: row(
    "the disk or its quota is full (ENOSPC, EDQUOT); nothing is kept",
    "resource_exhausted",
    507,
    "ServiceUnavailable",
    "caller",
  ),
  OVERLOADED: row("a limit on work in progress is reached", "resource_exhausted", 503, "SlowDown", "backoff"),
  CANCELED: row("the caller aborted", "canceled", 499, "-", "caller"),
  DEADLINE_EXCEEDED: row("the time allowed has passed", "deadline_exceeded", 504, "ServiceUnavailable", "caller"),
  STORE_CLOSED: row("the client or store was used after close", "failed_precondition", 409, "ServiceUnavailable"),
  STORE_INCOMPATIBLE: row(
    "data was written by a newer or foreign format version",
    "failed_precondition",
    409,
    "InternalError",
  ),
  UNSUPPORTED: row("not implemented by this seat, transport or adapter", "unimplemented", 501, "NotImplemented"),
  INTERNAL: row("a bug or an unexpected failure; see the cause", "internal", 500, "InternalError"),
} as const satisfies Record<string, ErrorCodeRow>);

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether `value` is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
