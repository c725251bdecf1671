import { AshlarError } from "../errors/index.ts";
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
  readonly signal: AbortSignal;
  /** Ends what runs under the signal. */
  abort(error: AshlarError): void;
  /** Frees the timer and the listener for a time without work, such as that until a reader comes. */
  rest(): void;
  /** Follows the caller's signal and the time again; what came to pass meanwhile counts. */
  wake(): void;
}

/** Begins a call, awake. The timeout counts from now on, also while it rests. */
export function beginCall({ signal, timeoutMs }: ClientCallOptions, clock: Clock): CallScope {
  const controller = new AbortController();
  const endsAtMs = timeoutMs === undefined ? undefined : clock.monotonicMs() + timeoutMs;
  let timer: AbortController | undefined;
  const onAbort = (): void => controller.abort(signal?.reason);
  const onTime = (): void =>
    controller.abort(new AshlarError("DEADLINE_EXCEEDED", `not finished after ${timeoutMs} ms`));
  const scope: CallScope = {
    signal: controller.signal,
    abort: (error) => controller.abort(error),
    rest() {
      signal?.removeEventListener("abort", onAbort);
      timer?.abort();
      timer = undefined;
    },
    wake() {
      if (controller.signal.aborted) return;
      if (signal?.aborted) return onAbort();
      const leftMs = endsAtMs === undefined ? Number.POSITIVE_INFINITY : endsAtMs - clock.monotonicMs();
      if (leftMs <= 0) return onTime();
      signal?.addEventListener("abort", onAbort);
      if (endsAtMs === undefined || timer !== undefined) return;
      timer = new AbortController();
      clock.sleep(leftMs, { signal: timer.signal }).then(onTime, () => {}); // or the call ended first
    },
  };
  scope.wake();
  return scope;
}
