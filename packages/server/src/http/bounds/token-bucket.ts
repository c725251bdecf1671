/** Bounds how often something may happen: a number of times at once, and then a number of times per second. */
export interface TokenBucket {
  /** @param count for what counts more than once; default 1. @returns whether it may happen now. */
  take(count?: number): boolean;
  /** Gives one back: it did not count after all. */
  giveBack(): void;
  isFull(): boolean;
}

/** Full at the start. */
export function createTokenBucket(options: {
  readonly burst: number;
  readonly perSecond: number;
  readonly nowMs: () => number;
}): TokenBucket {
  const { burst, perSecond, nowMs } = options;
  let tokens = burst;
  let filledMs = nowMs();
  const fill = (): void => {
    const atMs = nowMs();
    tokens = Math.min(burst, tokens + ((atMs - filledMs) / 1000) * perSecond);
    filledMs = atMs;
  };
  return {
    take(count = 1) {
      fill();
      if (tokens < count) return false;
      tokens -= count;
      return true;
    },
    giveBack() {
      tokens = Math.min(burst, tokens + 1);
    },
    isFull() {
      fill();
      return tokens >= burst;
    },
  };
}
