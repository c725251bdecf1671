import { type AshlarError, callerError } from "../errors/ashlar-error.ts";
import { dropRejection } from "../internal/app-functions.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";

/** Events are at least this far apart, in ms: 20 a second at most, plus the last one. */
const EVENT_INTERVAL_MS = 50;

/** Sums the progress of chunks that move side by side. */
export interface ProgressTracker {
  /** A meter for one chunk: takes the bytes moved in the current attempt; what an earlier attempt had reached already is not taken back. */
  meter(): (transferredBytes: number) => void;
  /** Sets the total once it is known. */
  setTotal(totalBytes: number): void;
  /** Sends the last event. @throws {AshlarError} what the caller's `onProgress` threw or rejected with, now or before. */
  finish(): Promise<void>;
}

const SILENT: ProgressTracker = Object.freeze({ meter: () => () => {}, setTotal: () => {}, finish: async () => {} });

/** What {@link createProgressTracker} takes. */
export interface ProgressOptions {
  readonly onProgress: ((progress: TransferProgress) => void) | undefined;
  /** Absent: known only at the end of the body. */
  readonly totalBytes: number | undefined;
  readonly clock: Clock;
  /** Ends the transfer, with what the caller's `onProgress` threw or rejected with. */
  readonly fail: (error: AshlarError) => void;
}

/**
 * Creates the tracker of one transfer.
 *
 * Meters never throw: transports call them, each for one replica, and would take the caller's own error for a failure of that replica. A promise that
 * `onProgress` returns is not waited for. If it rejects while bytes move, or at once after the last event, the transfer ends; a later rejection
 * changes nothing.
 */
export function createProgressTracker({ onProgress, totalBytes, clock, fail }: ProgressOptions): ProgressTracker {
  if (onProgress === undefined) return SILENT;
  let total = totalBytes;
  let failure: AshlarError | undefined;
  let transferredBytes = 0;
  let sentBytes = -1;
  let sentTotal: number | undefined;
  let sentAtMs = Number.NEGATIVE_INFINITY;
  const failed = (error: unknown): void => {
    failure ??= callerError("onProgress", error);
    fail(failure);
  };
  const send = (): void => {
    if (failure !== undefined) return;
    if (transferredBytes === sentBytes && total === sentTotal) return;
    sentBytes = transferredBytes;
    sentTotal = total;
    sentAtMs = clock.monotonicMs();
    try {
      dropRejection(onProgress({ transferredBytes, totalBytes: total }), failed);
    } catch (error) {
      failed(error);
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
    async finish() {
      send();
      await undefined; // a promise that is rejected already is noticed in this turn
      if (failure !== undefined) throw failure;
    },
  };
}
