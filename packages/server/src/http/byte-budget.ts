import { AshlarError, abortError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Clock, GiveBack } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createShares, type Holder, type ShortOf } from "./shares.ts";

/** The bytes of bodies that a server holds at once. */
export interface ByteBudget {
  /**
   * Takes bytes, in the order of asking, before they are held. What is more than all there is counts as all.
   *
   * @param options.holder `undefined` counts only against the whole.
   * @param options.isFirst more will be asked for before any of it is given back: shares are smaller then, so that what has begun can end.
   * @throws {AshlarError} OVERLOADED if they are not to be had within BYTES_WAIT_MS; the signal's reason.
   */
  take(
    bytes: number,
    options: {
      readonly holder?: Holder | undefined;
      readonly isFirst?: boolean | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<GiveBack>;
  /** Takes bytes if they are to be had at once, and nobody waits for them. */
  tryTake(bytes: number, holder: Holder | undefined): GiveBack | undefined;
  takenBytes(): number;
  /** What is taken, from 0 to 1. */
  crowding(): number;
}

interface Waiter {
  /** Whether only the whole is short, and not a share of its own. */
  isNext(): boolean;
  fits(): boolean;
  grant(): void;
}

/** Of its shares, what a holder may have taken with bodies that have only begun: alone, half of the budget where its share is three quarters. */
const FIRST_PART = 1 / 3;

/**
 * Bounds what all bodies together hold. One connection has at most half of it, one credential three quarters, one address seven eighths, and less the more is taken by
 * others: some is always left (see {@link createShares}).
 *
 * Who must wait reads nothing meanwhile, so that the network holds the sender back. Fair to the whole: those behind a waiter pass it only where it
 * waits for a share of its own.
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

/** What one request holds of a budget: whatever its handler forgets goes back at its end. */
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
