import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { beginCall, type CallScope, type ClientCallOptions } from "./call-options.ts";
import type { OpenedSeat } from "./seat.ts";
import type { SeatOpener } from "./seat-opener.ts";

/** Runs one call on the opened seat, under the caller's signal and timeout; what it throws is an Ashlar error. */
export type SeatCall = <T>(
  options: ClientCallOptions,
  work: (seat: OpenedSeat, signal: AbortSignal | undefined) => Promise<T>,
) => Promise<T>;

export function createSeatCall(opener: SeatOpener): SeatCall {
  return async (options, work) => {
    let scope: CallScope | undefined;
    try {
      throwIfAborted(options.signal);
      const opened = await raceAbort(opener.get(), options.signal);
      if (options.timeoutMs !== undefined) scope = beginCall(options, opened.clock);
      const signal = scope?.signal ?? options.signal;
      return await raceAbort(work(opened, signal), signal);
    } catch (error) {
      throw AshlarError.from(error);
    } finally {
      scope?.rest();
    }
  };
}
