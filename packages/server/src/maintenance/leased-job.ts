import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock, JobLeases, Logger } from "@ashlar/sdk/ports";

/** What {@link runLeasedJob} takes. */
export interface LeasedJobOptions {
  readonly metadata: JobLeases;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly job: string;
  /** When the job is due again, in ms after a round that succeeded. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Asked after a round that succeeded: the least pause before the next one, in ms. Default 0. */
  readonly restMs?: (() => number) | undefined;
}

/** A worker that dies keeps a job for this time. Renewed three times as often. */
const LEASE_MS = 60_000;
/** A round that failed is due again after this time, or when it would be anyway. */
const RETRY_MS = 60_000;
/** Time to give the job back when the server stops. */
const END_MS = 2000;

/**
 * Runs one round of a job, if it is due in the cluster and no other worker does it. The round is aborted when another worker has taken the job over:
 * this one was too slow to renew its lease.
 */
export async function runLeasedJob(options: LeasedJobOptions): Promise<void> {
  const { metadata, job, everyMs, signal, logger } = options;
  const leaseToken = await metadata.claimJob({ job, leaseMs: LEASE_MS }, { signal });
  if (leaseToken === undefined) return;
  const over = new AbortController();
  const lost = new AbortController();
  const renewing = renew(options, leaseToken, { over: over.signal, lost });
  let error: string | undefined;
  try {
    await options.run(AbortSignal.any([signal, lost.signal]));
  } catch (thrown) {
    error = AshlarError.from(thrown).message;
    throw thrown;
  } finally {
    over.abort();
    await renewing;
    const againInMs =
      error === undefined
        ? Math.max(everyMs, options.restMs?.() ?? 0)
        : signal.aborted
          ? 0
          : Math.min(RETRY_MS, everyMs);
    // A share of an interval, or of what a clock has measured, is no whole number of ms.
    const end = { job, leaseToken, againInMs: Math.ceil(againInMs), error: signal.aborted ? undefined : error };
    await metadata.finishJob(end, { signal: AbortSignal.timeout(END_MS) }).catch((failure: unknown) => {
      logger.warn({ job, error: AshlarError.from(failure).message }, "a job stays claimed until its lease ends");
    });
  }
}

async function renew(
  { metadata, clock, job }: LeasedJobOptions,
  leaseToken: string,
  { over, lost }: { readonly over: AbortSignal; readonly lost: AbortController },
): Promise<void> {
  let validUntilMs = clock.monotonicMs() + LEASE_MS;
  while (!over.aborted) {
    try {
      await clock.sleep(LEASE_MS / 3, { signal: over });
      const isOurs = await metadata.renewJob({ job, leaseToken, leaseMs: LEASE_MS }, { signal: over });
      if (isOurs) validUntilMs = clock.monotonicMs() + LEASE_MS;
      else validUntilMs = Number.NEGATIVE_INFINITY;
    } catch {
      // The database is away for a moment, or the round is over.
    }
    if (over.aborted || clock.monotonicMs() < validUntilMs) continue;
    lost.abort(new AshlarError("CANCELED", `another worker has taken over the job ${job}`));
    return;
  }
}
