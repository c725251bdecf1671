/** Time, injected so that tests and the simulation can control it. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Milliseconds that never jump and never go back; only differences between two readings have a meaning. */
  monotonicMs(): number;
  /** Resolves after `durationMs`. Rejects with CANCELED (or DEADLINE_EXCEEDED) as soon as `signal` aborts, leaving no timer behind. */
  sleep(durationMs: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** Calls `tick` every `everyMs` until the function that it returns is called. Does not keep a process of Node alive. */
export type Ticker = (everyMs: number, tick: () => void) => () => void;
