/** Thrown by {@link assert}: a bug in Ashlar, never the caller's fault. Not retryable, and never mapped to a retryable code. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** Checks a condition that must be true; stays on in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
