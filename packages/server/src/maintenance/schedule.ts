import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock, Logger, Random } from "@ashlar/sdk/ports";

/** A job that runs again and again. */
export interface Schedule {
  /** The next run comes now, or right after the one in progress. */
  wake(): void;
  /** Resolves when the run in progress has ended; it is aborted. */
  stop(): Promise<void>;
}

/** A server that is restarted every day must come to work that is done once a day. */
const FIRST_WITHIN_MS = 10 * 60_000;
/** A run that failed is repeated after this time, or when the next one comes anyway. */
const RETRY_MS = 60_000;

/**
 * Runs a job at intervals: first after a random part of the interval, 10 minutes at most, then with a quarter of jitter either way, so that gateways
 * that started together do not work at the same moments. A run that fails is logged, and comes again within 75 s.
 */
export function startSchedule(options: {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly logger: Logger;
}): Schedule {
  const { name, intervalMs, run, clock, random, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let waking = new AbortController();
  const wait = async (ms: number): Promise<void> => {
    try {
      if (!waking.signal.aborted) await clock.sleep(ms, { signal: AbortSignal.any([signal, waking.signal]) });
    } catch (error) {
      if (!waking.signal.aborted) throw error;
    }
    signal.throwIfAborted();
    waking = new AbortController();
  };
  const loop = async (): Promise<void> => {
    let waitMs = random.fraction() * Math.min(intervalMs, FIRST_WITHIN_MS);
    while (!signal.aborted) {
      let nextMs = intervalMs;
      try {
        await wait(waitMs);
        await run(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error, job: name }, "background work failed; it is tried again later");
        nextMs = Math.min(intervalMs, RETRY_MS);
      }
      waitMs = nextMs * (0.75 + random.fraction() / 2);
    }
  };
  const running = loop();
  return {
    wake: () => waking.abort(),
    stop() {
      stopping.abort(new AshlarError("CANCELED", "the server stops"));
      return running;
    },
  };
}
