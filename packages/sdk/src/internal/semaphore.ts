import { abortError, throwIfAborted } from "../errors/index.ts";

/** Gives one permit back; calling it again does nothing. */
export type Release = () => void;

/**
 * Bounds how many pieces of work run at once.
 *
 * Fair: permits are given in the order of the calls. A waiter whose signal aborts leaves the queue and rejects; it never holds a permit.
 * A holder that throws must still release: use try/finally.
 */
export interface Semaphore {
  acquire(signal?: AbortSignal): Promise<Release>;
}

/** @param permitCount how many holders there can be at once; at least 1. */
export function createSemaphore(permitCount: number): Semaphore {
  let free = permitCount;
  const waiters = new Set<() => void>();
  const take = (): Release => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = waiters.values().next().value;
      if (next === undefined) free++;
      else {
        waiters.delete(next);
        next();
      }
    };
  };
  return {
    acquire(signal) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal);
        if (free > 0) {
          free--;
          resolve(take());
          return;
        }
        const onAbort = (): void => {
          waiters.delete(grant);
          reject(abortError(signal as AbortSignal));
        };
        const grant = (): void => {
          signal?.removeEventListener("abort", onAbort);
          resolve(take());
        };
        waiters.add(grant);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}
