import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock } from "@ashlar/sdk/ports";
import type { Metrics } from "../../observability/metrics.ts";
import type { Peer } from "../exchange/exchange.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import type { Holder } from "./shares.ts";
import { createSlotPool, type GivesWay, type SlotPool } from "./slot-pool.ts";

/** Kinds of calls that need no key: answered at once, or open until the client ends them or LONG_LIVED_MAX_MS has passed. */
export type OpenKind = "open" | "long-lived";

/** What a caller showed. One API key, or one access token that it issued, counts as one client from however many addresses it is used. */
export interface Caller {
  /** Id of the API key, also where a token or grant came from it. */
  readonly credential?: string | undefined;
  /** Id of the token or ticket. */
  readonly token?: string | undefined;
}

/** A request's place among those that run. */
export interface Place {
  /** Why the request is refused; it has no slot then, but {@link release} must still be called. */
  readonly refusal: AshlarError | undefined;
  /**
   * Notes that the caller showed that it may call: the request leaves the pool of unknown callers, and counts for its credential.
   *
   * @throws {AshlarError} OVERLOADED if that credential already has its share of slots; the request has none then.
   */
  trust(caller: Caller): void;
  /**
   * The call needs no key: it moves to the small pool of its kind, so that callers without a key never use up the slots of all others.
   *
   * @param gives ends the call where another needs its place.
   * @throws {AshlarError} OVERLOADED if that pool has no slot for its peer, and nobody gives way.
   */
  moveTo(kind: OpenKind, gives: GivesWay): void;
  /** Gives back whatever the request holds. Idempotent. */
  release(): void;
}

/** Decides which requests may run. Each slot is taken before any work, and given back exactly once. */
export interface Admission {
  admit(peer: Peer | undefined): Place;
  /** Whether a request of this peer with a good key would be refused now, while its key is checked or after it. */
  isFull(peer: Peer | undefined): boolean;
  /** How much of the ordinary slots is taken, from 0 to 1. */
  crowding(): number;
  /** For how many ms REQUESTS_IN_FLIGHT_MAX or more requests have been running and nobody got a slot; 0 if fewer run. */
  fullForMs(): number;
}

type PoolName = "ordinary" | "unknown" | OpenKind;

/** Messages say what the caller can do. */
const REFUSALS: Readonly<Record<PoolName, string>> = {
  ordinary: "too many requests are running, yours or all together: try again in a moment",
  unknown: "too many requests wait for their key to be checked: send fewer at once, or try again in a moment",
  open: "too many calls without a key are running: send fewer at once, or try again in a moment",
  "long-lived": "too many calls are open that stay open: close some, or try again later",
};

/** @param options.requestsInFlightMax of ordinary requests of one credential; default REQUESTS_IN_FLIGHT_MAX. */
export function createAdmission(options: {
  readonly requestsInFlightMax?: number | undefined;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, "monotonicMs">;
}): Admission {
  const { clock } = options;
  const requestsMax = options.requestsInFlightMax ?? LIMITS.REQUESTS_IN_FLIGHT_MAX;
  const pools = createPools(requestsMax);
  const isBusy = (): boolean => pools.ordinary.takenCount() >= requestsMax;
  const taken = options.metrics.gauge({
    name: "ashlar_http_slots_taken",
    help: "Slots of requests that are taken, by pool",
    labelNames: ["pool"],
  });
  const refused = options.metrics.counter({
    name: "ashlar_http_requests_refused_total",
    help: "Requests that were answered OVERLOADED, by the pool that had no slot for them",
    labelNames: ["pool"],
  });
  for (const pool of Object.keys(pools)) {
    taken.set(0, { pool });
    refused.add(0, { pool });
  }
  let filledAtMs = 0;
  const refuse = (name: PoolName): AshlarError => {
    refused.add(1, { pool: name });
    return new AshlarError("OVERLOADED", REFUSALS[name], { details: { pool: name } });
  };
  const take: Take = (name, peer, gives) => {
    const slot = pools[name].take(peer, gives && countedWay(gives, () => refused.add(1, { pool: name })));
    if (slot === undefined) throw refuse(name);
    taken.set(pools[name].takenCount(), { pool: name });
    if (name === "ordinary" && isBusy()) filledAtMs = clock.monotonicMs();
    return {
      join(more) {
        if (!slot.join(more)) throw refuse(name);
      },
      release() {
        slot.release();
        taken.set(pools[name].takenCount(), { pool: name });
      },
    };
  };
  return {
    admit: (peer) => placeOf(peer, take),
    isFull: (peer) => !pools.ordinary.hasRoomFor(peer) || !pools.unknown.hasRoomFor(peer),
    crowding: pools.ordinary.crowding,
    fullForMs: () => (isBusy() ? clock.monotonicMs() - filledAtMs : 0),
  };
}

/** Counts a call that gives way like a refused one. */
function countedWay(gives: GivesWay, count: () => void): GivesWay {
  return {
    mayGiveWay: () => gives.mayGiveWay(),
    giveWay() {
      count();
      gives.giveWay();
    },
  };
}

/** A taken slot; its `join` throws. */
interface Taken {
  join(more: Holder): void;
  release(): void;
}

type Take = (name: PoolName, peer: Peer | undefined, gives?: GivesWay) => Taken;

/**
 * In all, a quarter more than REQUESTS_IN_FLIGHT_MAX may run. One credential can have REQUESTS_IN_FLIGHT_MAX when nobody else wants any, and some are
 * left for others. An address may have more than a credential, and a credential more than one of its tokens: otherwise one user of a proxy, or one
 * page with a token, would keep out the others.
 */
function ordinaryPool(max: number): SlotPool {
  return createSlotPool({
    max: max + Math.ceil(max / 4),
    alone: { address: max + Math.ceil(max / 8), connection: max, credential: max, token: Math.ceil((max / 4) * 3) },
  });
}

function createPools(requestsInFlightMax: number): Readonly<Record<PoolName, SlotPool>> {
  return {
    ordinary: ordinaryPool(requestsInFlightMax),
    unknown: createSlotPool({
      max: HTTP_LIMITS.UNKNOWN_REQUESTS_MAX.value,
      alone: { address: HTTP_LIMITS.UNKNOWN_REQUESTS_PER_ADDRESS_MAX.value },
    }),
    open: createSlotPool({
      max: HTTP_LIMITS.OPEN_CALLS_MAX.value,
      alone: {
        address: HTTP_LIMITS.OPEN_CALLS_PER_ADDRESS_MAX.value,
        connection: HTTP_LIMITS.OPEN_CALLS_PER_CONNECTION_MAX.value,
      },
      ownGiveWay: true,
    }),
    "long-lived": createSlotPool({
      max: HTTP_LIMITS.LONG_LIVED_CALLS_MAX.value,
      alone: {
        address: HTTP_LIMITS.LONG_LIVED_CALLS_PER_ADDRESS_MAX.value,
        connection: HTTP_LIMITS.LONG_LIVED_CALLS_PER_CONNECTION_MAX.value,
      },
    }),
  };
}

function placeOf(peer: Peer | undefined, take: Take): Place {
  const held = new Map<PoolName, Taken>();
  const give = (name: PoolName): void => {
    const slot = held.get(name);
    held.delete(name);
    slot?.release();
  };
  let refusal: AshlarError | undefined;
  try {
    held.set("ordinary", take("ordinary", peer));
    held.set("unknown", take("unknown", peer));
  } catch (error) {
    refusal = AshlarError.from(error);
    give("ordinary");
  }
  let [released, isKnown] = [false, false];
  return {
    refusal,
    trust(caller) {
      give("unknown");
      if (isKnown) return;
      isKnown = true;
      try {
        held.get("ordinary")?.join(caller);
      } catch (error) {
        give("ordinary");
        throw error;
      }
    },
    moveTo(kind, gives) {
      if (released || held.has(kind)) return;
      held.set(kind, take(kind, peer, gives));
      give("unknown");
      give("ordinary");
    },
    release() {
      released = true;
      for (const name of [...held.keys()]) give(name);
    },
  };
}
