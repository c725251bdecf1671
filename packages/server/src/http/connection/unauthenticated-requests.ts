import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { createTokenBucket, type TokenBucket } from "../bounds/token-bucket.ts";
import type { Connection } from "./connection.ts";

/** What a request is charged on a connection on which no good key was seen, until it turns out well. */
export interface Charge {
  /** To be called if the caller showed a good key or needed none. Idempotent. */
  giveBack(): void;
}

/** Bounds the requests that come to nothing: refused ones, and those that are reset before they have an answer. */
export interface UnauthenticatedRequests {
  /** To be called for each request before any work. @returns `undefined` if the connection has had too many: it must be ended. */
  charge(connection: Connection): Charge | undefined;
  /** Forgets addresses that owe nothing. */
  check(): void;
}

const FREE: Charge = Object.freeze({ giveBack: () => {} });

/**
 * A request is charged when it comes: Node hands a flood over in one go, before any of it is found bad. The charge is given back if all is well.
 *
 * A caller that shares its address with a flood still gets in: the first request of a connection does not depend on the others of its address.
 */
export function createUnauthenticatedRequests(nowMs: () => number): UnauthenticatedRequests {
  const ofAddress = new Map<string, TokenBucket>();
  const ofConnection = new WeakMap<Connection, TokenBucket>();
  return {
    charge(connection) {
      if (connection.isTrusted) return FREE;
      const address = ofAddress.get(connection.address) ?? addressBucket(nowMs);
      ofAddress.set(connection.address, address);
      const own = ofConnection.get(connection);
      const bucket = own ?? connectionBucket(nowMs);
      ofConnection.set(connection, bucket);
      const isWithin = address.take();
      if (!bucket.take() || (!isWithin && own !== undefined)) return undefined;
      let isOpen = true;
      return {
        giveBack() {
          if (!isOpen) return;
          isOpen = false;
          bucket.giveBack();
          if (isWithin) address.giveBack();
        },
      };
    },
    check() {
      for (const [address, bucket] of ofAddress) if (bucket.isFull()) ofAddress.delete(address);
    },
  };
}

function addressBucket(nowMs: () => number): TokenBucket {
  return createTokenBucket({
    burst: HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_PER_ADDRESS_BURST.value,
    perSecond: HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_PER_ADDRESS_PER_SECOND.value,
    nowMs,
  });
}

function connectionBucket(nowMs: () => number): TokenBucket {
  return createTokenBucket({
    burst: HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_BURST.value,
    perSecond: HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_PER_SECOND.value,
    nowMs,
  });
}
