import { abortError } from "../errors/index.ts";

/** An abort controller that also follows other signals, without leaving a listener on them. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  /** Aborts with `reason`; the first reason wins. */
  abort(reason: unknown): void;
  /** Stops following. Call it when the work has ended, with success or not. */
  unlink(): void;
}

/** @param parents signals to follow, such as the caller's; they may be missing or aborted already. */
export function linkAbort(...parents: readonly (AbortSignal | undefined)[]): LinkedAbort {
  const controller = new AbortController();
  const links = parents.map((parent) => {
    const onAbort = (): void => controller.abort(parent?.reason);
    if (parent?.aborted) onAbort();
    else parent?.addEventListener("abort", onAbort, { once: true });
    return () => parent?.removeEventListener("abort", onAbort);
  });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => {
      for (const unlink of links) unlink();
    },
  };
}

/**
 * Settles as `promise` does, or rejects with the abort error as soon as `signal` aborts; leaves no listener behind. The work itself goes on
 * until it notices the signal; its outcome is dropped.
 */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) {
      onAbort();
      promise.catch(() => {}); // its failure no longer matters
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
