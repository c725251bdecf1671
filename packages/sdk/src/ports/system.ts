import { abortError, throwIfAborted } from "../errors/index.ts";
import type { Clock, Ticker } from "./clock.ts";
import type { Logger } from "./logger.ts";
import type { Random } from "./random.ts";

/** Timers of more than this fire at once, in Node and in browsers. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * The system's clock, the default of the port. Only this file of the SDK uses the platform's clock and randomness.
 */
export const systemClock: Clock = Object.freeze({
  nowMs: (): number => Date.now(),
  monotonicMs: (): number => performance.now(),
  sleep(durationMs: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    const signal = options?.signal;
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(abortError(signal as AbortSignal));
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener("abort", onAbort);
          resolve(durationMs > TIMER_MAX_MS ? systemClock.sleep(durationMs - TIMER_MAX_MS, options) : undefined);
        },
        Math.min(durationMs, TIMER_MAX_MS),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
});

/** The platform's timer. */
export const systemTicker: Ticker = (everyMs, tick) => {
  const timer: unknown = setInterval(tick, everyMs);
  (timer as { unref?: () => void }).unref?.();
  return () => clearInterval(timer as number);
};

/** The platform's randomness: cryptographic bytes, and `Math.random` for fractions. */
export const systemRandom: Random = Object.freeze({
  bytes: (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count)),
  fraction: (): number => Math.random(),
});

/** A logger that writes nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: (): void => {},
  info: (): void => {},
  warn: (): void => {},
  error: (): void => {},
  child: (): Logger => silentLogger,
});
