import { AshlarError } from "../errors/index.ts";
import { LIMITS } from "../limits.ts";
import type { Clock, Random } from "../ports/index.ts";

/** How often and how patiently to try. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
  /** Tries in all, ≥ 1; default CHUNK_ATTEMPTS. */
  readonly attempts?: number | undefined;
  /** Called before each wait. */
  readonly onRetry?: ((error: AshlarError, attempt: number) => void) | undefined;
}

/**
 * Runs `work` until it succeeds, fails with an error that is not retryable, or was tried often enough.
 *
 * Waits between tries with full jitter: a random part of an exponentially growing bound, so that many clients that failed together
 * do not come back together. Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
 */
export async function withRetry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const attempts = options.attempts ?? LIMITS.CHUNK_ATTEMPTS.value;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (!error.retryable || attempt >= attempts || options.signal?.aborted) throw error;
      options.onRetry?.(error, attempt);
      const boundMs = Math.min(LIMITS.RETRY_MAX_MS.value, LIMITS.RETRY_BASE_MS.value * 2 ** (attempt - 1));
      await options.clock.sleep(options.random.fraction() * boundMs, { signal: options.signal });
    }
  }
}
