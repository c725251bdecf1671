import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import type { WriteOptions } from "../ports/index.ts";
import { beginCall, type CallScope, type ClientWriteOptions } from "./call-options.ts";
import type { OpenedSeat } from "./seat.ts";
import type { SeatOpener } from "./seat-opener.ts";

/**
 * Runs one call on the opened seat, until the caller's signal, the timeout or the client's `close()` ends it. Throws only Ashlar errors, with
 * `details.outcome` "unknown" for a write that may have happened. Calls that write pass the third argument on.
 */
export type SeatCall = <T>(
  options: ClientWriteOptions,
  work: (seat: OpenedSeat, signal: AbortSignal, write: WriteOptions) => Promise<T>,
) => Promise<T>;

export function createSeatCall(opener: SeatOpener): SeatCall {
  return async (options, work) => {
    const scope = beginCall(options, opener);
    const { signal } = scope;
    const outcome = { unknown: false };
    try {
      const opened = await openSeat(opener, scope);
      return await raceAbort(work(opened, signal, { signal, operationId: options.operationId, outcome }), signal);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      throw outcome.unknown ? withUnknownOutcome(error) : error;
    } finally {
      scope.rest();
    }
  };
}

/** The opened seat, for a call. The timeout counts only from then on, because the first opening may take long. */
export async function openSeat(opener: SeatOpener, { signal, limit }: CallScope): Promise<OpenedSeat> {
  throwIfAborted(signal);
  const opened = await raceAbort(opener.get(), signal);
  limit(opened.clock);
  return opened;
}

const MAY_HAVE = "; the write may have happened";

/** The error of a write that may have happened. */
export function withUnknownOutcome(error: AshlarError): AshlarError {
  const { code, message, details } = error;
  if (message.endsWith(MAY_HAVE)) return error;
  return new AshlarError(code, message + MAY_HAVE, {
    cause: error.cause ?? error,
    details: { ...details, outcome: "unknown" },
  });
}
