/**
 * The error taxonomy: one table, from which every API (Connect, plain HTTP, CLI exit codes, docs) takes its own column.
 *
 * Codes are stable within a major version, messages are not. `proto/ashlar/v1/error.proto` has the same names as an enum and
 * `docs/errors.md` is generated from this table; a test compares both, so this file imports nothing. The meaning of each code in words
 * is in `code-docs.ts`, so that no page loads it.
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
  /** HTTP status of the plain HTTP APIs (problem+json). */
  readonly http: number;
  readonly retry: RetryRule;
}

const row = (connect: ConnectCodeName, http: number, retry: RetryRule = "never"): ErrorCodeRow =>
  Object.freeze({ connect, http, retry });

/** Every error code with its meaning in each API. Order is documentation order. */
export const ERROR_CODES = Object.freeze({
  INVALID_ARGUMENT: row("invalid_argument", 400),
  INVALID_BUCKET_NAME: row("invalid_argument", 400),
  OBJECT_TOO_LARGE: row("invalid_argument", 413),
  CHECKSUM_MISMATCH: row("invalid_argument", 400, "caller"),
  INVALID_RANGE: row("out_of_range", 416),
  INVALID_PART: row("invalid_argument", 400),
  UPLOAD_NOT_FOUND: row("not_found", 404),
  BUCKET_NOT_FOUND: row("not_found", 404),
  OBJECT_NOT_FOUND: row("not_found", 404),
  CHUNK_NOT_FOUND: row("not_found", 404),
  NODE_NOT_FOUND: row("not_found", 404),
  BUCKET_ALREADY_EXISTS: row("already_exists", 409),
  BUCKET_NOT_EMPTY: row("failed_precondition", 409),
  PRECONDITION_FAILED: row("failed_precondition", 412),
  NOT_MODIFIED: row("failed_precondition", 304),
  UNAUTHENTICATED: row("unauthenticated", 401),
  PERMISSION_DENIED: row("permission_denied", 403),
  LAYOUT_STALE: row("aborted", 409, "caller"),
  CLAIM_EXPIRED: row("aborted", 409, "caller"),
  CHUNK_MISSING: row("data_loss", 500),
  CHUNK_CORRUPT: row("data_loss", 500, "caller"),
  CHUNK_DIGEST_MISMATCH: row("data_loss", 422, "backoff"),
  QUORUM_NOT_REACHED: row("unavailable", 503, "backoff"),
  NODE_UNAVAILABLE: row("unavailable", 503, "backoff"),
  METADATA_UNAVAILABLE: row("unavailable", 503, "backoff"),
  DISK_FULL: row("resource_exhausted", 507, "caller"),
  OVERLOADED: row("resource_exhausted", 503, "backoff"),
  CANCELED: row("canceled", 499, "caller"),
  DEADLINE_EXCEEDED: row("deadline_exceeded", 504, "caller"),
  STORE_CLOSED: row("failed_precondition", 409),
  STORE_INCOMPATIBLE: row("failed_precondition", 409),
  UNSUPPORTED: row("unimplemented", 501),
  INTERNAL: row("internal", 500),
  METADATA_CORRUPT: row("data_loss", 500),
} as const satisfies Record<string, ErrorCodeRow>);

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether `value` is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
