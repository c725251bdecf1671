/** Time, injected so that tests and the simulation can own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Milliseconds that never jump nor go back; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after `durationMs`. Rejects with CANCELED (or DEADLINE_EXCEEDED) as soon as `signal` aborts, leaving no timer behind. */
  sleep(durationMs: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}
