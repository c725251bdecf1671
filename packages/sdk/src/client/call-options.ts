import { AshlarError } from "../errors/index.ts";
import { linkAbort } from "../internal/linked-abort.ts";
import { LIMITS } from "../limits.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";

/** Options of every call of the client. */
export interface ClientCallOptions {
  /** Ends the call with CANCELED within 100 ms. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the call with DEADLINE_EXCEEDED after this many ms; default: no limit. For a read, it covers the bytes too. */
  readonly timeoutMs?: number | undefined;
}

/** Options of calls that change something. */
export interface ClientWriteOptions extends ClientCallOptions {
  /**
   * Names this call for the day in which the store keeps its result: called again with the same id and the same request it answers with its first
   * result, whatever happened since. 22 to 64 of `[A-Za-z0-9_-]`, such as a UUID; with another request it is INVALID_ARGUMENT. Default: random,
   * so that only the tries of one call share it.
   */
  readonly operationId?: string | undefined;
}

/** Options of calls that move bytes. */
export interface ClientTransferOptions extends ClientCallOptions {
  /** Called up to 20 times a second while bytes move, and once at the end. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Chunks in flight; default CONCURRENCY_DEFAULT. Bounds memory: chunk size × (concurrency + 2). */
  readonly concurrency?: number | undefined;
}

/** A running call's signal: the caller's and the timeout in one. */
export interface CallScope {
  readonly signal: AbortSignal | undefined;
  /** Frees the timer and the listener. */
  end(): void;
}

/** @throws {AshlarError} INVALID_ARGUMENT for a timeout that is not a positive number, CANCELED if the signal is aborted already. */
export function beginCall(options: ClientCallOptions, clock: Clock): CallScope {
  const { signal, timeoutMs } = options;
  if (timeoutMs === undefined) return { signal, end: () => {} };
  // "5" > 0 holds.
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
    throw new AshlarError("INVALID_ARGUMENT", "timeoutMs is a positive number of milliseconds");
  }
  const link = linkAbort(signal);
  clock
    .sleep(timeoutMs, { signal: link.signal })
    .then(() => link.abort(new AshlarError("DEADLINE_EXCEEDED", `not finished after ${timeoutMs} ms`)))
    .catch(() => {}); // the call ended first
  return {
    signal: link.signal,
    end() {
      link.unlink();
      link.abort(undefined);
    },
  };
}

/** Checks a concurrency. @throws {AshlarError} INVALID_ARGUMENT. */
export function assertConcurrency(concurrency: number | undefined): void {
  const max = LIMITS.CONCURRENCY_MAX.value;
  if (concurrency === undefined || (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= max)) return;
  throw new AshlarError("INVALID_ARGUMENT", `concurrency is a whole number from 1 to ${max}`);
}
