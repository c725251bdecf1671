import { AshlarError, type ErrorCode, type ErrorDetails, isErrorCode } from "@ashlar/sdk/errors";
import type { Durability } from "@ashlar/sdk/ports";
import type { WriteName } from "../../internal/metadata/write-name.ts";
import type { SqlOperationInput, SqlOperationName } from "../../internal/sql/operations.ts";

/** What a worker must know about the file that it opens. */
export interface WorkerInit {
  readonly path: string;
  /** `alone`: writer and reader in one, where the disk has no room for the index of the log. */
  readonly role: "writer" | "reader" | "alone";
  /** Time of the opening, for the migration. */
  readonly nowMs: number;
  /** There was a database at `path`, so an empty one is a lost one. */
  readonly mustExist: boolean;
}

/** One operation on its way to a worker. */
export interface WorkerRequest {
  readonly requestId: number;
  readonly name: SqlOperationName;
  readonly input: SqlOperationInput<SqlOperationName>;
  /** Absent: the clock of the thread counts. A write reads it when its transaction has begun, so it is not before the writes that it waited for. */
  readonly nowMs?: number | undefined;
  readonly operationId: string;
  /** The names that its result is kept under; empty if it has none. */
  readonly names: readonly WriteName[];
  readonly durability: Durability;
}

/** To a worker: open a file, operations, close it; and once it has none, open another or end. */
export type ToWorker =
  | { readonly open: WorkerInit }
  | { readonly requests: readonly WorkerRequest[] }
  | { readonly close: true }
  | { readonly end: true };

/** An answer: a result or an error. */
export type WorkerAnswer =
  | { readonly requestId: number; readonly output: unknown }
  | { readonly requestId: number; readonly error: PlainError };

/** From a worker: the file is open (or could not be opened: the thread ends), answers, the file is closed. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly closed: true }
  | { readonly failed: PlainError }
  | { readonly answers: readonly WorkerAnswer[] };

/** An error as plain data, with the chain of its causes. */
export interface PlainError {
  readonly code: ErrorCode | undefined;
  readonly name: string;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly cause: PlainError | undefined;
}

/** Structured clone would lose the class and the code of an error. */
export function encodeError(error: unknown): PlainError {
  const known = AshlarError.is(error) ? error : undefined;
  const { name, message, cause } =
    error instanceof Error ? error : new Error("a value that is not an Error was thrown");
  return {
    code: known?.code,
    name,
    message,
    details: known?.details ?? {},
    cause: cause === undefined ? undefined : encodeError(cause),
  };
}

/** The inverse of {@link encodeError}. */
export function decodeError(plain: PlainError): Error {
  const cause = plain.cause === undefined ? undefined : decodeError(plain.cause);
  if (plain.code !== undefined && isErrorCode(plain.code)) {
    return new AshlarError(plain.code, plain.message, { details: plain.details, cause });
  }
  const error = new Error(plain.message, cause === undefined ? undefined : { cause });
  error.name = plain.name;
  return error;
}
