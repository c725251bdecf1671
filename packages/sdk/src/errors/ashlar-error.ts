import { ERROR_CODES, type ErrorCode } from "./codes.ts";

const MARKER: unique symbol = Symbol.for("ashlar.error") as never;

/** Plain data that goes with an error: names, limits and sizes, as text so that every transport carries it unchanged. */
export type ErrorDetails = Readonly<Record<string, string>>;

/** What {@link AshlarError} takes in addition to code and message. */
export interface AshlarErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
}

/**
 * The one error class of Ashlar, the same from every seat and transport.
 *
 * Test with {@link AshlarError.is}, which also recognises instances from a second copy of this package; `instanceof` does not.
 */
export class AshlarError extends Error {
  override readonly name: string = "AshlarError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options?: AshlarErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = Object.freeze({ ...options?.details });
    Object.defineProperty(this, MARKER, { value: true });
  }

  /** Whether the same call may succeed later, unchanged: true for the codes whose retry rule is "backoff". */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retry === "backoff";
  }

  /** Whether `error` is an Ashlar error (of any copy of this package), and has `code` where one is given. */
  static is(error: unknown, code?: ErrorCode): error is AshlarError {
    if (!(error instanceof Error) || !(MARKER in error)) return false;
    return code === undefined || (error as unknown as AshlarError).code === code;
  }

  /**
   * Turns anything thrown into an Ashlar error, for use at boundaries.
   *
   * An Ashlar error passes through. An abort becomes CANCELED, a timeout (`TimeoutError`) DEADLINE_EXCEEDED, anything else `fallback`
   * with the original as `cause`.
   */
  static from(error: unknown, fallback: ErrorCode = "INTERNAL"): AshlarError {
    return fromThrown(error, fallback);
  }
}

/** Outside of the class: bundlers rename a class that names itself to `_AshlarError`, also in stack traces. */
function fromThrown(error: unknown, fallback: ErrorCode): AshlarError {
  if (AshlarError.is(error)) return error;
  // Not by its class: an error that a body of another realm throws has another class.
  const { name, message = "a value that is not an Error was thrown" } = (error ?? {}) as {
    name?: string;
    message?: string;
  };
  if (name === "AbortError") return new AshlarError("CANCELED", "the operation was aborted", { cause: error });
  if (name === "TimeoutError")
    return new AshlarError("DEADLINE_EXCEEDED", "the time allowed has passed", { cause: error });
  return new AshlarError(fallback, message, { cause: error });
}

/**
 * The error of something that the app passed in, such as its body: an INVALID_ARGUMENT that names that thing and has the app's error as its cause, so
 * that nobody takes it for a failure of Ashlar. Ashlar errors, aborts and timeouts stay what they are.
 */
export function callerError(what: string, thrown: unknown): AshlarError {
  const error = AshlarError.from(thrown, "INVALID_ARGUMENT");
  if (AshlarError.is(thrown) || error.code !== "INVALID_ARGUMENT") return error;
  return new AshlarError("INVALID_ARGUMENT", `${what} failed: ${error.message}`, { cause: thrown });
}

/** Throws CANCELED or DEADLINE_EXCEEDED if `signal` is aborted already. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The error of an aborted signal: its reason if that is an Ashlar error, DEADLINE_EXCEEDED if the reason is a timeout, else CANCELED. */
export function abortError(signal: AbortSignal): AshlarError {
  const reason: unknown = signal.reason;
  if (AshlarError.is(reason)) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") return AshlarError.from(reason);
  return new AshlarError("CANCELED", "the operation was aborted", { cause: reason });
}
