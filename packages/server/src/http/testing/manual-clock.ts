import { type Clock, systemClock } from "@ashlar/sdk/ports";

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Moves time on in steps of a second, ends the sleeps that are over by then, and lets what they started go on. */
  advance(durationMs: number): Promise<void>;
}

/** Its monotonic time starts at 0. */
export function createManualClock(): ManualClock {
  let nowMs = 0;
  const sleepers = new Set<{ readonly dueMs: number; readonly wake: () => void }>();
  const step = async (durationMs: number): Promise<void> => {
    nowMs += durationMs;
    for (const sleeper of [...sleepers]) if (sleeper.dueMs <= nowMs) sleeper.wake();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    nowMs: systemClock.nowMs,
    monotonicMs: () => nowMs,
    sleep: (durationMs, options) =>
      new Promise((resolve, reject) => {
        const sleeper = {
          dueMs: nowMs + durationMs,
          wake() {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        options?.signal?.addEventListener(
          "abort",
          () => {
            sleepers.delete(sleeper);
            reject(options.signal?.reason);
          },
          { once: true },
        );
      }),
    async advance(durationMs) {
      for (let leftMs = durationMs; leftMs > 0; leftMs -= 1000) await step(Math.min(leftMs, 1000));
    },
  };
}
