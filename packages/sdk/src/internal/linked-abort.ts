import { abortError } from "../errors/index.ts";

/** An abort controller that also follows a caller's signal, without leaving a listener on it. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  /** Aborts with `reason`; the first reason wins. */
  abort(reason: unknown): void;
  /** Stops following the caller's signal. Call it when the work is over, however it ended. */
  unlink(): void;
}

/** @param parent the caller's signal, if there is one; already aborted is fine. */
export function linkAbort(parent: AbortSignal | undefined): LinkedAbort {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(parent?.reason);
  if (parent?.aborted) onAbort();
  else parent?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => parent?.removeEventListener("abort", onAbort),
  };
}

/** Settles as `promise` does, or rejects with the abort error as soon as `signal` aborts; leaves no listener behind. */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) {
      onAbort();
      promise.catch(() => {}); // its own failure is no longer of interest
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
