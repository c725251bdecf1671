/** Median of numbers; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Megabytes (10^6 bytes) per second. */
export function megabytesPerSecond(sizeBytes: number, elapsedMs: number): number {
  return sizeBytes / 1000 / elapsedMs;
}
