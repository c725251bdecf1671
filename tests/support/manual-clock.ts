import { abortError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves time forward and wakes every sleeper that is due, in order of its time. */
  advance(durationMs: number): void;
  /** Moves only wall time, as happens while the machine sleeps or when its clock is set. */
  stepWall(byMs: number): void;
  /** How many calls wait in `sleep`. */
  readonly sleeperCount: number;
}

interface Sleeper {
  readonly dueAtMs: number;
  readonly wake: () => void;
}

/** @param startMs where both readings start. */
export function createManualClock(startMs: number = 1_000_000): ManualClock {
  let now = startMs;
  let wallAheadMs = 0;
  const sleepers = new Set<Sleeper>();
  return {
    nowMs: () => now + wallAheadMs,
    monotonicMs: () => now,
    sleep(durationMs, options) {
      const signal = options?.signal;
      return new Promise((resolve, reject) => {
        throwIfAborted(signal);
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(abortError(signal!));
        };
        const sleeper: Sleeper = {
          dueAtMs: now + durationMs,
          wake: () => {
            signal?.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    advance(durationMs) {
      now += durationMs;
      const due = [...sleepers].filter((sleeper) => sleeper.dueAtMs <= now).sort((a, b) => a.dueAtMs - b.dueAtMs);
      for (const sleeper of due) {
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    stepWall(byMs) {
      wallAheadMs += byMs;
    },
    get sleeperCount() {
      return sleepers.size;
    },
  };
}
