import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { beginCall, type CallScope, type ClientCallOptions } from "./call-options.ts";
import type { OpenedSeat, Seat } from "./seat.ts";

/** A seat, opened when first needed. */
export interface SeatOpener {
  /** @throws {AshlarError} STORE_CLOSED after `close()`. */
  get(): Promise<OpenedSeat>;
  close(): Promise<void>;
}

/** Runs one call on the opened seat, under the caller's signal and timeout; what it throws is an Ashlar error. */
export type SeatCall = <T>(
  options: ClientCallOptions,
  work: (seat: OpenedSeat, signal: AbortSignal | undefined) => Promise<T>,
) => Promise<T>;

export function createSeatCall(opener: SeatOpener): SeatCall {
  return async (options, work) => {
    let scope: CallScope | undefined;
    try {
      if (!options) throw new AshlarError("INVALID_ARGUMENT", "the call's argument is missing");
      throwIfAborted(options.signal);
      const opened = await raceAbort(opener.get(), options.signal);
      scope = beginCall(options, opened.clock);
      return await raceAbort(work(opened, scope.signal), scope.signal);
    } catch (error) {
      throw AshlarError.from(error);
    } finally {
      scope?.end();
    }
  };
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
