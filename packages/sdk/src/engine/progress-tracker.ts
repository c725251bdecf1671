import { type AshlarError, callerError } from "../errors/ashlar-error.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";

/** Events are at least this far apart, in ms: 20 a second at most, beside the last one. */
const EVENT_INTERVAL_MS = 50;

/** Sums the progress of chunks that move side by side. */
export interface ProgressTracker {
  /** A meter for one chunk: takes the bytes moved in the current attempt; what an earlier attempt had reached already is not taken back. */
  meter(): (transferredBytes: number) => void;
  /** Tells the total once it is known. */
  setTotal(totalBytes: number): void;
  /** Sends the last event. @throws {AshlarError} what the caller's `onProgress` threw, now or before. */
  finish(): void;
}

const SILENT: ProgressTracker = Object.freeze({ meter: () => () => {}, setTotal: () => {}, finish: () => {} });

/** What {@link createProgressTracker} takes. */
export interface ProgressOptions {
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
  /** Unknown: the body tells, at its end. */
  readonly totalBytes: number | undefined;
  readonly clock: Clock;
  /** Ends the transfer, with what the caller's `onProgress` threw. */
  readonly fail: (error: AshlarError) => void;
}

/**
 * Creates the tracker of one transfer.
 *
 * Meters never throw: they are called by transports, each for one replica, and would take the caller's own error for that replica's failure.
 */
export function createProgressTracker({ onProgress, totalBytes, clock, fail }: ProgressOptions): ProgressTracker {
  if (onProgress === undefined) return SILENT;
  let total = totalBytes;
  let failure: AshlarError | undefined;
  let transferredBytes = 0;
  let sentBytes = -1;
  let sentTotal: number | undefined;
  let sentAtMs = Number.NEGATIVE_INFINITY;
  const send = (): void => {
    if (failure !== undefined) return;
    if (transferredBytes === sentBytes && total === sentTotal) return;
    sentBytes = transferredBytes;
    sentTotal = total;
    sentAtMs = clock.monotonicMs();
    try {
      onProgress({ transferredBytes, totalBytes: total });
    } catch (error) {
      failure = callerError("onProgress", error);
      fail(failure);
    }
  };
  return {
    meter() {
      let reached = 0;
      return (moved) => {
        if (moved <= reached) return;
        transferredBytes += moved - reached;
        reached = moved;
        if (clock.monotonicMs() - sentAtMs >= EVENT_INTERVAL_MS) send();
      };
    },
    setTotal(known) {
      total = known;
    },
    finish() {
      send();
      if (failure !== undefined) throw failure;
    },
  };
}
