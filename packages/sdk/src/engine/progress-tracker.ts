import { callerError } from "../errors/ashlar-error.ts";
import type { Clock, TransferProgress } from "../ports/index.ts";

/** Events are at least this far apart, in ms: 20 a second at most, beside the last one. */
const EVENT_INTERVAL_MS = 50;

/** Sums the progress of chunks that move side by side. */
export interface ProgressTracker {
  /** A meter for one chunk: takes the bytes moved in the current attempt; what an earlier attempt had reached already is not taken back. */
  meter(): (transferredBytes: number) => void;
  /** Tells the total once it is known. */
  setTotal(totalBytes: number): void;
  /** Sends the last event. */
  finish(): void;
}

const SILENT: ProgressTracker = Object.freeze({ meter: () => () => {}, setTotal: () => {}, finish: () => {} });

export function createProgressTracker(
  onProgress: ((progress: TransferProgress) => void) | undefined,
  totalBytes: number | undefined,
  clock: Clock,
): ProgressTracker {
  if (onProgress === undefined) return SILENT;
  let total = totalBytes;
  let transferredBytes = 0;
  let sentBytes = -1;
  let sentTotal: number | undefined;
  let sentAtMs = Number.NEGATIVE_INFINITY;
  const send = (): void => {
    if (transferredBytes === sentBytes && total === sentTotal) return;
    sentBytes = transferredBytes;
    sentTotal = total;
    sentAtMs = clock.monotonicMs();
    try {
      onProgress({ transferredBytes, totalBytes: total });
    } catch (error) {
      throw callerError("onProgress", error);
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
    finish: send,
  };
}
