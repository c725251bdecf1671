/** Thrown by {@link assert}: a bug in Ashlar, never the caller's doing; not retryable and never mapped to a code that is. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** States what must be true here; stays on in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
