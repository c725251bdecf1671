import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createTokenBucket } from "./token-bucket.ts";

/** Bounds the log lines that strangers cause: a disk full of them stops a server too. */
export interface LineBudget {
  /** @returns how many lines were left out since the last that was written; `undefined` if this one is to be left out. */
  spend(): number | undefined;
}

/** Full at the start, and filled by STRANGER_LINES_PER_SECOND. */
export function createLineBudget(clock: Pick<Clock, "monotonicMs">): LineBudget {
  const lines = createTokenBucket({
    burst: HTTP_LIMITS.STRANGER_LINES_BURST.value,
    perSecond: HTTP_LIMITS.STRANGER_LINES_PER_SECOND.value,
    nowMs: () => clock.monotonicMs(),
  });
  let leftOut = 0;
  return {
    spend() {
      if (!lines.take()) {
        leftOut++;
        return undefined;
      }
      const count = leftOut;
      leftOut = 0;
      return count;
    },
  };
}
