import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";

/**
 * Watches whether one direction of an exchange makes progress. Only the time in which the server waits for the client counts, so a slow disk or a
 * slow app is never taken for a slow client.
 */
export interface Pace {
  /** The server waits for the client from now on. */
  begin(): void;
  /** The wait is over, and this many bytes moved. */
  end(movedBytes: number): void;
  /** Ends the watch. */
  close(): void;
  /** Whether the server waits for the client now. */
  isWaiting(): boolean;
}

/** The rate that a client has to keep up. */
export interface Demand {
  /** Waiting time over which the rate is measured. */
  readonly windowMs: number;
  readonly minBytesPerSecond: number;
}

/** The paces of one listener, which calls {@link PaceKeeper.check} again and again. */
export interface PaceKeeper {
  /**
   * @param demand called whenever a wait is judged; `undefined` while the client may be silent.
   * @param onSlow called once, with the demand that was not met.
   */
  start(demand: () => Demand | undefined, onSlow: (missed: Demand) => void): Pace;
  /** Judges everything that waits. */
  check(): void;
}

/** Reads `clock` and starts no timers: thousands of bodies begin and end a wait every second. */
export function createPaceKeeper(clock: Pick<Clock, "monotonicMs">): PaceKeeper {
  const waiting = new Set<(nowMs: number) => void>();
  return {
    start(demandOf, onSlow) {
      let sinceMs: number | undefined;
      let waitedMs = 0;
      let movedBytes = 0;
      let ended = false;
      const judge = (nowMs: number): void => {
        const total = waitedMs + (sinceMs === undefined ? 0 : nowMs - sinceMs);
        if (ended || total < HTTP_LIMITS.PACE_CHECK_MS.value) return;
        const demand = demandOf();
        if (demand !== undefined && total < demand.windowMs) return;
        const isSlow = demand !== undefined && movedBytes < (demand.windowMs / 1000) * demand.minBytesPerSecond;
        waitedMs = 0;
        movedBytes = 0;
        if (sinceMs !== undefined) sinceMs = nowMs;
        if (!isSlow) return;
        ended = true;
        waiting.delete(judge);
        onSlow(demand);
      };
      return {
        begin() {
          if (ended || sinceMs !== undefined) return;
          sinceMs = clock.monotonicMs();
          waiting.add(judge);
        },
        end(bytes) {
          movedBytes += bytes;
          if (sinceMs === undefined) return;
          const nowMs = clock.monotonicMs();
          waitedMs += nowMs - sinceMs;
          sinceMs = undefined;
          waiting.delete(judge);
          judge(nowMs);
        },
        isWaiting: () => sinceMs !== undefined && !ended,
        close() {
          ended = true;
          waiting.delete(judge);
        },
      };
    },
    check() {
      const nowMs = clock.monotonicMs();
      for (const judge of waiting) judge(nowMs);
    },
  };
}
