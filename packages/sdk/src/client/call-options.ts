import { AshlarError } from "../errors/index.ts";
import { notedFailure } from "../internal/failure-notes.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";
import type { SeatOpener } from "./seat-opener.ts";

/** Options of every call of the client. */
export interface ClientCallOptions {
  /** Ends the call with CANCELED within 100 ms. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Ends the call with DEADLINE_EXCEEDED after this many ms; default: no limit. For a read, it covers the bytes too. If the call was being tried
   * again, the error's `cause` is the error of the last try.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of calls that change something. */
export interface ClientWriteOptions extends ClientCallOptions {
  /**
   * Names this call for the day in which the store keeps its result. A call with the same id and the same request answers with the first result,
   * whatever happened since; the same id with another request is INVALID_ARGUMENT. 22 to 80 of `[A-Za-z0-9._-]`, such as a UUID (`deleteObjects` adds
   * a number to it, so at most 76 there). Default: random, so that only the tries of one call share it.
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

/** A running call's signal: the caller's signal, the client's `close()` and the timeout in one. */
export interface CallScope {
  readonly signal: AbortSignal;
  /** Ends what runs under the signal. */
  abort(error: AshlarError): void;
  /** Starts the timeout, which counts from now on, also while the scope rests. */
  limit(clock: Clock): void;
  /** Frees the timer and the listeners while there is no work, such as until somebody reads. */
  rest(): void;
  /** Follows the caller's signal, the client and the time again; what happened meanwhile counts. */
  wake(): void;
}

/** Begins a call, awake. Everything that the client does runs under such a scope, and `close()` ends the scope. */
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
