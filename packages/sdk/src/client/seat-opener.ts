import { AshlarError } from "../errors/index.ts";
import type { OpenedSeat, Seat } from "./seat.ts";

/** A seat, opened when first needed. */
export interface SeatOpener {
  /** @throws {AshlarError} STORE_CLOSED after `close()`. */
  get(): Promise<OpenedSeat>;
  /** Calls `end` with STORE_CLOSED when the client is closed, at once if it is closed already. @returns a function that cancels this. */
  onClose(end: (error: AshlarError) => void): () => void;
  close(): Promise<void>;
}

/** Opens a seat once; a failed opening is tried again by the next call. @throws {AshlarError} INVALID_ARGUMENT at once if `seat` is no seat. */
export function createSeatOpener(seat: Seat): SeatOpener {
  if (typeof seat?.open !== "function")
    throw new AshlarError("INVALID_ARGUMENT", "the client's argument is not a seat");
  let opened: Promise<OpenedSeat> | undefined;
  let closed: Promise<void> | undefined;
  const ends = new Set<(error: AshlarError) => void>();
  const ending = (): AshlarError => new AshlarError("STORE_CLOSED", "the client was closed");
  return {
    get() {
      if (closed !== undefined) return Promise.reject(ending());
      if (opened === undefined) {
        opened = seat.open();
        opened.catch(() => {
          opened = undefined;
        });
      }
      return opened;
    },
    onClose(end) {
      if (closed === undefined) ends.add(end);
      else end(ending());
      return () => ends.delete(end);
    },
    close() {
      closed ??= (async () => {
        for (const end of ends) end(ending());
        const pending = opened;
        if (pending === undefined) return;
        const result = await pending.catch(() => undefined); // what never opened has nothing to close
        await result?.close();
      })();
      return closed;
    },
  };
}
