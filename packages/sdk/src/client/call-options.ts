import { AshlarError } from "../errors/index.ts";
import { notedFailure } from "../internal/failure-notes.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";
import type { SeatOpener } from "./seat-opener.ts";

/** Options of every call of the client. */
export interface ClientCallOptions {
  /** Ends the call with CANCELED within 100 ms. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Ends the call with DEADLINE_EXCEEDED after this many ms; default: no limit. For a read, it covers the bytes too. Where the call was being tried again,
   * the error's `cause` is what the last try failed with.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of calls that change something. */
export interface ClientWriteOptions extends ClientCallOptions {
  /**
   * Names this call for the day in which the store keeps its result: called again with the same id and the same request it answers with its first
   * result, whatever happened since. 22 to 80 of `[A-Za-z0-9._-]`, such as a UUID (`deleteObjects` adds a number to it, so at most 76 there); with another request it is INVALID_ARGUMENT. Default: random,
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

/** A running call's signal: the caller's, the client's end and the timeout in one. */
export interface CallScope {
  readonly signal: AbortSignal;
  /** Ends what runs under the signal. */
  abort(error: AshlarError): void;
  /** Has the timeout end it too, which counts from now on, also while it rests. */
  limit(clock: Clock): void;
  /** Frees the timer and the listeners for a time without work, such as that until a reader comes. */
  rest(): void;
  /** Follows the caller's signal, the client and the time again; what came to pass meanwhile counts. */
  wake(): void;
}

/** Begins a call, awake. All that the client does runs under such a scope: it is what `close()` ends. */
export function beginCall(
  { signal, timeoutMs }: ClientCallOptions,
  { onClose }: Pick<SeatOpener, "onClose">,
): CallScope {
  const controller = new AbortController();
  let forget = (): void => {};
  let endsAtMs = Number.POSITIVE_INFINITY;
  let clock: Clock | undefined;
  let timer: AbortController | undefined;
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    scope.rest();
  };
  const onAbort = (): void => abort(signal?.reason);
  const onTime = (): void => {
    const cause = notedFailure(controller.signal);
    const message = `not finished after ${timeoutMs} ms`;
    abort(
      cause
        ? new AshlarError("DEADLINE_EXCEEDED", `${message}; the last try failed: ${cause.message}`, { cause })
        : new AshlarError("DEADLINE_EXCEEDED", message),
    );
  };
  const scope: CallScope = {
    signal: controller.signal,
    abort,
    limit(given) {
      if (timeoutMs === undefined) return;
      clock = given;
      endsAtMs = clock.monotonicMs() + timeoutMs;
      scope.wake();
    },
    rest() {
      forget();
      signal?.removeEventListener("abort", onAbort);
      timer?.abort();
      timer = undefined;
    },
    wake() {
      if (controller.signal.aborted) return;
      if (signal?.aborted) return onAbort();
      const leftMs = clock === undefined ? endsAtMs : endsAtMs - clock.monotonicMs();
      if (leftMs <= 0) return onTime();
      forget();
      forget = onClose(abort);
      if (controller.signal.aborted) return;
      signal?.addEventListener("abort", onAbort);
      if (clock === undefined || timer !== undefined) return;
      timer = new AbortController();
      clock.sleep(leftMs, { signal: timer.signal }).then(onTime, () => {}); // or the call ended first
    },
  };
  scope.wake();
  return scope;
}
