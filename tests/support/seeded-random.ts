import type { Random } from "@ashlar/sdk/ports";

/** Random numbers that a seed can repeat (Mulberry32). Not for secrets. */
export interface SeededRandom extends Random {
  /** A whole number in [0, bound). */
  below(bound: number): number;
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed | 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let index = 0; index < count; index++) bytes[index] = word() & 0xff;
      return bytes;
    },
    fraction: () => word() / 2 ** 32,
    below: (bound) => Math.floor((word() / 2 ** 32) * bound),
  };
}

/** No jitter: every backoff is 0 ms, so that retries take no time in a test. */
export const noJitter: Random = Object.freeze({
  bytes: (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count)),
  fraction: (): number => 0,
});
