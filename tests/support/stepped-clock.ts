import { type Clock, systemClock } from "@ashlar/sdk/ports";

/** A clock that runs as the system's, until a test moves it. Sleeps take their real time. */
export interface SteppedClock extends Clock {
  /** Moves wall time alone, as when a machine sleeps or its clock is set. */
  stepWall(byMs: number): void;
  /** Moves wall and monotonic time, as when time passes. */
  pass(durationMs: number): void;
}

export function createSteppedClock(): SteppedClock {
  let wallAheadMs = 0;
  let monotonicAheadMs = 0;
  return {
    nowMs: () => systemClock.nowMs() + wallAheadMs,
    monotonicMs: () => systemClock.monotonicMs() + monotonicAheadMs,
    sleep: systemClock.sleep,
    stepWall(byMs) {
      wallAheadMs += byMs;
    },
    pass(durationMs) {
      wallAheadMs += durationMs;
      monotonicAheadMs += durationMs;
    },
  };
}
