import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import type { WriteOptions } from "../ports/index.ts";
import { beginCall, type CallScope, type ClientWriteOptions } from "./call-options.ts";
import type { OpenedSeat, Seat } from "./seat.ts";

/** A seat, opened when first needed. */
export interface SeatOpener {
  /** @throws {AshlarError} STORE_CLOSED after `close()`. */
  get(): Promise<OpenedSeat>;
  close(): Promise<void>;
}

/**
 * Runs one call on the opened seat, under the caller's signal and timeout; what it throws is an Ashlar error, with `details.outcome` "unknown" for
 * a write that may have happened. Those who write pass on the third argument.
 */
export type SeatCall = <T>(
  options: ClientWriteOptions,
  work: (seat: OpenedSeat, signal: AbortSignal | undefined, write: WriteOptions) => Promise<T>,
) => Promise<T>;

export function createSeatCall(opener: SeatOpener): SeatCall {
  return async (options, work) => {
    let scope: CallScope | undefined;
    const outcome = { unknown: false };
    try {
      if (!options) throw new AshlarError("INVALID_ARGUMENT", "the call's argument is missing");
      throwIfAborted(options.signal);
      const opened = await raceAbort(opener.get(), options.signal);
      scope = beginCall(options, opened.clock);
      const { signal } = scope;
      return await raceAbort(work(opened, signal, { signal, operationId: options.operationId, outcome }), signal);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      throw outcome.unknown ? withUnknownOutcome(error) : error;
    } finally {
      scope?.end();
    }
  };
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

/** Opens a seat once; a failed opening is tried again by the next call. @throws {AshlarError} INVALID_ARGUMENT at once for what is no seat. */
export function createSeatOpener(seat: Seat): SeatOpener {
  if (typeof seat?.open !== "function")
    throw new AshlarError("INVALID_ARGUMENT", "the client's argument is not a seat");
  let opened: Promise<OpenedSeat> | undefined;
  let closed: Promise<void> | undefined;
  return {
    get() {
      if (closed !== undefined) return Promise.reject(new AshlarError("STORE_CLOSED", "the client was closed"));
      if (opened === undefined) {
        opened = seat.open();
        opened.catch(() => {
          opened = undefined;
        });
      }
      return opened;
    },
    close() {
      closed ??= (async () => {
        const pending = opened;
        if (pending === undefined) return;
        const result = await pending.catch(() => undefined); // what never opened has nothing to close
        await result?.close();
      })();
      return closed;
    },
  };
}
