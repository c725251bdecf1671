/**
 * The error taxonomy: one table, from which every face (Connect, plain HTTP, S3, CLI exit codes, docs) takes its own column.
 *
 * Codes are stable within a major version, messages are not. `proto/ashlar/v1/error.proto` has the same names as an enum and
 * `docs/errors.md` is generated from this table; a test compares both, so this file imports nothing. What each code means in words stands in
 * `code-docs.ts`, so that no page loads prose.
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
  readonly connect: ConnectCodeName;
  /** HTTP status of the plain HTTP faces (problem+json). */
  readonly http: number;
  /** S3 error code, kept here so that the S3 face cannot drift; "-" where S3 never sees it. */
  readonly s3: string;
  readonly retry: RetryRule;
}

const row = (connect: ConnectCodeName, http: number, s3: string, retry: RetryRule = "never"): ErrorCodeRow =>
  Object.freeze({ connect, http, s3, retry });

/** Every error code with its meaning on each face. Order is documentation order. */
export const ERROR_CODES = Object.freeze({
  INVALID_ARGUMENT: row("invalid_argument", 400, "InvalidArgument"),
  INVALID_BUCKET_NAME: row("invalid_argument", 400, "InvalidBucketName"),
  OBJECT_TOO_LARGE: row("invalid_argument", 413, "EntityTooLarge"),
  CHECKSUM_MISMATCH: row("invalid_argument", 400, "BadDigest", "caller"),
  INVALID_RANGE: row("out_of_range", 416, "InvalidRange"),
  INVALID_PART: row("invalid_argument", 400, "InvalidPart"),
  UPLOAD_NOT_FOUND: row("not_found", 404, "NoSuchUpload"),
  BUCKET_NOT_FOUND: row("not_found", 404, "NoSuchBucket"),
  OBJECT_NOT_FOUND: row("not_found", 404, "NoSuchKey"),
  CHUNK_NOT_FOUND: row("not_found", 404, "-"),
  SERVER_NOT_FOUND: row("not_found", 404, "-"),
  BUCKET_ALREADY_EXISTS: row("already_exists", 409, "BucketAlreadyExists"),
  BUCKET_NOT_EMPTY: row("failed_precondition", 409, "BucketNotEmpty"),
  PRECONDITION_FAILED: row("failed_precondition", 412, "PreconditionFailed"),
  NOT_MODIFIED: row("failed_precondition", 304, "NotModified"),
  UNAUTHENTICATED: row("unauthenticated", 401, "InvalidAccessKeyId"),
  PERMISSION_DENIED: row("permission_denied", 403, "AccessDenied"),
  LAYOUT_STALE: row("aborted", 409, "-", "caller"),
  CLAIM_EXPIRED: row("aborted", 409, "-", "caller"),
  CHUNK_MISSING: row("data_loss", 500, "InternalError"),
  CHUNK_CORRUPT: row("data_loss", 500, "InternalError", "caller"),
  CHUNK_DIGEST_MISMATCH: row("data_loss", 422, "BadDigest", "backoff"),
  QUORUM_NOT_REACHED: row("unavailable", 503, "ServiceUnavailable", "backoff"),
  NODE_UNAVAILABLE: row("unavailable", 503, "ServiceUnavailable", "backoff"),
  METADATA_UNAVAILABLE: row("unavailable", 503, "ServiceUnavailable", "backoff"),
  DISK_FULL: row("resource_exhausted", 507, "ServiceUnavailable", "caller"),
  OVERLOADED: row("resource_exhausted", 503, "SlowDown", "backoff"),
  CANCELED: row("canceled", 499, "-", "caller"),
  DEADLINE_EXCEEDED: row("deadline_exceeded", 504, "ServiceUnavailable", "caller"),
  STORE_CLOSED: row("failed_precondition", 409, "ServiceUnavailable"),
  STORE_INCOMPATIBLE: row("failed_precondition", 409, "InternalError"),
  UNSUPPORTED: row("unimplemented", 501, "NotImplemented"),
  INTERNAL: row("internal", 500, "InternalError"),
} as const satisfies Record<string, ErrorCodeRow>);

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether `value` is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
