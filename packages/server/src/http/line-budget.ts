import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./http-limits.ts";

/** Bounds the log lines that strangers cause: a disk full of them stops a server too. */
export interface LineBudget {
  /** @returns how many lines were left out since the last that was written; `undefined` if this one is to be left out. */
  spend(): number | undefined;
}

/** Full at the start, and filled by STRANGER_LINES_PER_SECOND. */
export function createLineBudget(clock: Pick<Clock, "monotonicMs">): LineBudget {
  const burst = HTTP_LIMITS.STRANGER_LINES_BURST.value;
  let left = burst;
  let leftOut = 0;
  let filledMs = clock.monotonicMs();
  return {
    spend() {
      const nowMs = clock.monotonicMs();
      left = Math.min(burst, left + ((nowMs - filledMs) / 1000) * HTTP_LIMITS.STRANGER_LINES_PER_SECOND.value);
      filledMs = nowMs;
      if (left < 1) {
        leftOut++;
        return undefined;
      }
      left--;
      const count = leftOut;
      leftOut = 0;
      return count;
    },
  };
}
