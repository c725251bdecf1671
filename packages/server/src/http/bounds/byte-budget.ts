import { AshlarError, abortError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Clock, GiveBack } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createShares, type Holder, type ShortOf } from "./shares.ts";

/** The bytes of bodies that a server holds at once. */
export interface ByteBudget {
  /**
   * Takes bytes before they are held, in the order of the calls. More than the whole budget counts as the whole.
   *
   * @param options.holder `undefined` counts only against the whole.
   * @param options.isFirst the holder will take more before it gives any of it back: shares are smaller then, so that what has begun can end.
   * @throws {AshlarError} OVERLOADED if they are not free within BYTES_WAIT_MS; the signal's reason.
   */
  take(
    bytes: number,
    options: {
      readonly holder?: Holder | undefined;
      readonly isFirst?: boolean | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<GiveBack>;
  /** Takes bytes if they are free now and nobody waits for them; else `undefined`. */
  tryTake(bytes: number, holder: Holder | undefined): GiveBack | undefined;
  takenBytes(): number;
  /** What is taken, from 0 to 1. */
  crowding(): number;
}

interface Waiter {
  /** Whether it waits for the whole budget, and not for a share of its holder. */
  isNext(): boolean;
  fits(): boolean;
  grant(): void;
}

/** The part of its shares that a holder may take for bodies that have only begun: alone, half of the budget where its share is three quarters. */
const FIRST_PART = 1 / 3;

/**
 * Bounds what all bodies together hold. One connection or token has at most half of it, one credential three quarters, one address seven eighths, and
 * the less the more others have taken: some is always left (see {@link createShares}).
 *
 * A body that has to wait is not read meanwhile, so the network holds its sender back. Others pass a waiter only if it waits for a share of its own
 * holder.
 */
export function createByteBudget(options: {
  readonly maxBytes: number;
  /** Whose bodies these are, for messages; default requests. */
  readonly of?: "requests" | "answers" | undefined;
  readonly clock: Pick<Clock, "sleep">;
}): ByteBudget {
  const { maxBytes, of = "requests", clock } = options;
  const shares = createShares({
    max: maxBytes,
    alone: {
      connection: maxBytes / 2,
      token: maxBytes / 2,
      // More than a credential, so that one user of a proxy leaves room for the others.
      address: (maxBytes / 8) * 7,
      credential: (maxBytes / 4) * 3,
    },
  });
  const waiters = new Set<Waiter>();

  const hold = (bytes: number, holder: Holder | undefined): GiveBack => {
    shares.add(bytes, holder);
    let heldBytes = bytes;
    return (keptBytes = 0) => {
      if (keptBytes >= heldBytes) return;
      shares.add(keptBytes - heldBytes, holder);
      heldBytes = keptBytes;
      for (const waiter of waiters) {
        if (waiter.fits()) waiter.grant();
        else if (waiter.isNext()) break;
      }
    };
  };
  const isAwaited = (): boolean => [...waiters].some((waiter) => waiter.isNext());
  return {
    takenBytes: shares.takenCount,
    crowding: () => shares.takenCount() / maxBytes,
    tryTake: (bytes, holder) =>
      isAwaited() || shares.shortOf(bytes, holder) !== undefined ? undefined : hold(bytes, holder),
    async take(wanted, { holder, isFirst = false, signal }) {
      throwIfAborted(signal);
      const bytes = Math.min(wanted, maxBytes);
      const short = (): ShortOf | undefined => shares.shortOf(bytes, holder, isFirst ? FIRST_PART : 1);
      const isNext = (): boolean => short() === "all";
      const fitsNow = (): boolean => short() === undefined;
      if (fitsNow() && !isAwaited()) return hold(bytes, holder);
      return await new Promise<GiveBack>((resolve, reject) => {
        const patience = new AbortController();
        const leave = (): void => {
          waiters.delete(waiter);
          patience.abort();
          signal?.removeEventListener("abort", onAbort);
        };
        const onAbort = (): void => {
          leave();
          reject(abortError(signal as AbortSignal));
        };
        const waiter: Waiter = {
          isNext,
          fits: fitsNow,
          grant() {
            leave();
            resolve(hold(bytes, holder));
          },
        };
        waiters.add(waiter);
        signal?.addEventListener("abort", onAbort, { once: true });
        clock.sleep(HTTP_LIMITS.BYTES_WAIT_MS.value, { signal: patience.signal }).then(
          () => {
            leave();
            reject(new AshlarError("OVERLOADED", `the server holds as many bytes of ${of} as it may; try again`));
          },
          () => {},
        );
      });
    },
  };
}

/** What one request holds of a budget. What its handler forgets goes back when the request ends. */
export interface Leases {
  /** Takes charge of bytes that were taken. After the end they go back at once. */
  keep(giveBack: GiveBack): GiveBack;
  /** Gives all back. Idempotent. */
  end(): void;
}

export function createLeases(): Leases {
  const held = new Set<GiveBack>();
  let isOver = false;
  return {
    keep(giveBack) {
      if (isOver) giveBack();
      else held.add(giveBack);
      return (keptBytes = 0) => {
        if (keptBytes === 0) held.delete(giveBack);
        giveBack(keptBytes);
      };
    },
    end() {
      isOver = true;
      for (const giveBack of held) giveBack();
      held.clear();
    },
  };
}
