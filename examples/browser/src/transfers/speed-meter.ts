/** Looks back this far, in ms: long enough for a steady figure, short enough for a current one. */
const WINDOW_MS = 4000;
/** No speed is known before so many ms have been seen. */
const SEEN_MIN_MS = 500;

/** Measures how fast a count grows. */
export interface SpeedMeter {
  /** @param bytes so far; if the count falls, the measurement starts again. */
  add(bytes: number, nowMs: number): void;
  /** Bytes per second over the last seconds; `undefined` while that is not known. */
  bytesPerSecond(): number | undefined;
}

export function createSpeedMeter(): SpeedMeter {
  let samples: { readonly bytes: number; readonly atMs: number }[] = [];
  return {
    add(bytes, nowMs) {
      const last = samples.at(-1);
      if (last !== undefined && bytes < last.bytes) samples = [];
      samples.push({ bytes, atMs: nowMs });
      while (samples.length > 2 && nowMs - (samples[1]?.atMs ?? nowMs) >= WINDOW_MS) samples.shift();
    },
    bytesPerSecond() {
      const [first] = samples;
      const last = samples.at(-1);
      if (first === undefined || last === undefined || last.atMs - first.atMs < SEEN_MIN_MS) return undefined;
      return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
    },
  };
}
