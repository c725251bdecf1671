import { AshlarError, abortError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import type { Peer } from "./exchange.ts";
import { HTTP_LIMITS } from "./http-limits.ts";

/** Gives bytes back; calling it again does nothing. */
export type GiveBack = () => void;

/** The bytes of request bodies that a server holds at once. */
export interface ByteBudget {
  /**
   * Takes bytes, in the order of asking, before they are held. What is more than all there is counts as all.
   *
   * @param options.holder `undefined` counts only against the whole.
   * @throws {AshlarError} OVERLOADED if they are not to be had within BYTES_WAIT_MS; the signal's reason.
   */
  take(
    bytes: number,
    options: { readonly holder?: Peer | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<GiveBack>;
  takenBytes(): number;
}

interface Waiter {
  /** Whether only the whole is short, and not a share of its own. */
  isNext(): boolean;
  fits(): boolean;
  grant(): void;
}

/**
 * Bounds what all bodies together hold. One connection has at most half of it, one address three quarters: some is always left for others.
 *
 * Who must wait reads nothing meanwhile, so that the network holds the sender back. Fair to the whole: those behind a waiter pass it only where it
 * waits for a share of its own.
 */
export function createByteBudget(options: {
  readonly maxBytes: number;
  readonly clock: Pick<Clock, "sleep">;
}): ByteBudget {
  const { maxBytes, clock } = options;
  const shareOf = { connection: maxBytes / 2, address: (maxBytes / 4) * 3 };
  const ofConnection = new Map<object, number>();
  const ofAddress = new Map<string, number>();
  const waiters = new Set<Waiter>();
  let taken = 0;

  const count = (bytes: number, holder: Peer | undefined): void => {
    taken += bytes;
    if (holder === undefined) return;
    add(ofConnection, holder.connection, bytes);
    add(ofAddress, holder.address, bytes);
  };
  const fitsShare = (bytes: number, holder: Peer | undefined): boolean =>
    holder === undefined ||
    (fits(ofConnection.get(holder.connection), bytes, shareOf.connection) &&
      fits(ofAddress.get(holder.address), bytes, shareOf.address));
  const hold = (bytes: number, holder: Peer | undefined): GiveBack => {
    count(bytes, holder);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      count(-bytes, holder);
      for (const waiter of waiters) {
        if (waiter.fits()) waiter.grant();
        else if (waiter.isNext()) break;
      }
    };
  };
  return {
    takenBytes: () => taken,
    async take(wanted, { holder, signal }) {
      throwIfAborted(signal);
      const bytes = Math.min(wanted, maxBytes);
      const isNext = (): boolean => fitsShare(bytes, holder);
      const fitsNow = (): boolean => isNext() && fits(taken, bytes, maxBytes);
      if (fitsNow() && ![...waiters].some((waiter) => waiter.isNext())) return hold(bytes, holder);
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
            reject(new AshlarError("OVERLOADED", "the server holds as many bytes of requests as it may; try again"));
          },
          () => {},
        );
      });
    },
  };
}

/** What nobody else holds always fits, or a request that is larger than a share would wait for ever. */
function fits(taken: number | undefined, bytes: number, max: number): boolean {
  return (taken ?? 0) === 0 || (taken ?? 0) + bytes <= max;
}

function add<Key>(counts: Map<Key, number>, key: Key, difference: number): void {
  const sum = (counts.get(key) ?? 0) + difference;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}
