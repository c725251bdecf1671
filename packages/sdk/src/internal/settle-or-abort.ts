import { abortError } from "../errors/index.ts";

/**
 * Settles like `work`, or rejects with the signal's error as soon as it aborts. The work itself goes on until it notices the signal by
 * itself; what becomes of it then is dropped. The listener goes with the promise.
 */
export function settleOrAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    const release = (): void => signal.removeEventListener("abort", onAbort);
    work.then(resolve, reject).then(release, release);
  });
}
