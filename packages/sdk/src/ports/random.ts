/** Randomness, injected so that a seed can replay a run. */
export interface Random {
  /** `count` random bytes, good enough for secrets. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1), for jitter and sampling only. */
  fraction(): number;
}
