import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./http-limits.ts";

/**
 * Holds one direction of an exchange to "progress or the end". Only the time in which the server waits for the client counts, so that a slow
 * disk or a slow app is never taken for a slow client.
 */
export interface Pace {
  /** The server waits for the client from now on. */
  begin(): void;
  /** The wait is over, and this many bytes moved. */
  end(movedBytes: number): void;
  /** Nothing is waited for any more. */
  close(): void;
  /** Whether the server waits for the client now. */
  isWaiting(): boolean;
}

/** The paces of one listener; whoever owns its clock looks at them every now and then. */
export interface PaceKeeper {
  /**
   * @param windowMs asked whenever a wait is judged: in that much waiting at least PROGRESS_MIN_BYTES_PER_SECOND must have moved; `undefined`
   * while silence is no fault.
   * @param onSlow called once.
   */
  start(windowMs: () => number | undefined, onSlow: () => void): Pace;
  /** Judges everything that waits. */
  check(): void;
}

/** Keeps time by `clock`, and no timer of its own: thousands of bodies wait and go on in every second. */
export function createPaceKeeper(clock: Pick<Clock, "monotonicMs">): PaceKeeper {
  const waiting = new Set<(nowMs: number) => void>();
  return {
    start(windowMs, onSlow) {
      let sinceMs: number | undefined;
      let waitedMs = 0;
      let movedBytes = 0;
      let ended = false;
      const judge = (nowMs: number): void => {
        const total = waitedMs + (sinceMs === undefined ? 0 : nowMs - sinceMs);
        if (ended || total < HTTP_LIMITS.PACE_CHECK_MS.value) return;
        const window = windowMs();
        if (window !== undefined && total < window) return;
        const isSlow = window !== undefined && movedBytes < (window / 1000) * MIN_BYTES_PER_SECOND;
        waitedMs = 0;
        movedBytes = 0;
        if (sinceMs !== undefined) sinceMs = nowMs;
        if (!isSlow) return;
        ended = true;
        waiting.delete(judge);
        onSlow();
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

const MIN_BYTES_PER_SECOND = HTTP_LIMITS.PROGRESS_MIN_BYTES_PER_SECOND.value;
