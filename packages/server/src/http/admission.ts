import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import type { Peer } from "./exchange.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createSlotPool, type SlotPool } from "./slot-pool.ts";

/** What becomes of calls that need no key: one that is answered at once, or one that stays open for as long as its client likes. */
export type OpenKind = "open" | "long-lived";

/** A request's place among those that run. */
export interface Place {
  /** Why the request is refused; it has no slot then, and {@link release} is to be called all the same. */
  readonly refusal: AshlarError | undefined;
  /** The caller showed that it may call: it no longer counts among the unknown. */
  trust(): void;
  /**
   * The call needs no key: it moves to the small pool of its kind, so that strangers never eat the slots of everybody.
   *
   * @throws {AshlarError} OVERLOADED if that pool has no slot for its peer.
   */
  moveTo(kind: OpenKind): void;
  /** Gives back whatever the request holds. Idempotent. */
  release(): void;
}

/** Who may run. Each slot is taken before any work, and given back exactly once. */
export interface Admission {
  admit(peer: Peer | undefined): Place;
  /** Whether a request with a good key would be refused now: at the door, where keys are checked, or behind it. */
  isFull(): boolean;
  /** Whether known callers have taken all slots, so that those of them who make others wait lose their patience. */
  isCrowded(): boolean;
  /** For how many ms no request gave its slot back to a full pool; 0 if there is room. */
  fullForMs(): number;
}

type PoolName = "ordinary" | "unknown" | OpenKind;

/** Messages say what the caller can do. */
const REFUSALS: Readonly<Record<PoolName, string>> = {
  ordinary: "too many requests are running: try again in a moment",
  unknown: "too many requests wait for their key to be checked: send fewer at once, or try again in a moment",
  open: "too many calls without a key are running: send fewer at once, or try again in a moment",
  "long-lived": "too many calls are open that stay open: close some, or try again later",
};

/** @param options.requestsInFlightMax of ordinary requests; default REQUESTS_IN_FLIGHT_MAX. */
export function createAdmission(options: {
  readonly requestsInFlightMax?: number | undefined;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, "monotonicMs">;
}): Admission {
  const { clock } = options;
  const pools = createPools(options.requestsInFlightMax ?? LIMITS.REQUESTS_IN_FLIGHT_MAX.value);
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
  const take = (name: PoolName, peer: Peer | undefined): (() => void) => {
    const release = pools[name].take(peer);
    if (release === undefined) {
      refused.add(1, { pool: name });
      throw new AshlarError("OVERLOADED", REFUSALS[name], { details: { pool: name } });
    }
    taken.set(pools[name].takenCount(), { pool: name });
    if (name === "ordinary" && pools.ordinary.isFull()) filledAtMs = clock.monotonicMs();
    return () => {
      release();
      taken.set(pools[name].takenCount(), { pool: name });
    };
  };
  return {
    admit: (peer) => placeOf(peer, take),
    isFull: () => pools.ordinary.isFull() || pools.unknown.isFull(),
    isCrowded: () => pools.ordinary.isFull(),
    fullForMs: () => (pools.ordinary.isFull() ? clock.monotonicMs() - filledAtMs : 0),
  };
}

function createPools(requestsInFlightMax: number): Readonly<Record<PoolName, SlotPool>> {
  return {
    ordinary: createSlotPool({ max: requestsInFlightMax }),
    unknown: createSlotPool({
      max: HTTP_LIMITS.UNKNOWN_REQUESTS_MAX.value,
      perAddressMax: HTTP_LIMITS.UNKNOWN_REQUESTS_PER_ADDRESS_MAX.value,
    }),
    open: createSlotPool({
      max: HTTP_LIMITS.OPEN_CALLS_MAX.value,
      perAddressMax: HTTP_LIMITS.OPEN_CALLS_PER_ADDRESS_MAX.value,
      perConnectionMax: HTTP_LIMITS.OPEN_CALLS_PER_CONNECTION_MAX.value,
    }),
    "long-lived": createSlotPool({
      max: HTTP_LIMITS.LONG_LIVED_CALLS_MAX.value,
      perAddressMax: HTTP_LIMITS.LONG_LIVED_CALLS_PER_ADDRESS_MAX.value,
      perConnectionMax: HTTP_LIMITS.LONG_LIVED_CALLS_PER_CONNECTION_MAX.value,
    }),
  };
}

function placeOf(peer: Peer | undefined, take: (name: PoolName, peer: Peer | undefined) => () => void): Place {
  const held = new Map<PoolName, () => void>();
  const give = (name: PoolName): void => {
    const release = held.get(name);
    held.delete(name);
    release?.();
  };
  let refusal: AshlarError | undefined;
  try {
    held.set("ordinary", take("ordinary", peer));
    held.set("unknown", take("unknown", peer));
  } catch (error) {
    refusal = AshlarError.from(error);
    give("ordinary");
  }
  let released = false;
  return {
    refusal,
    trust: () => give("unknown"),
    moveTo(kind) {
      if (released || held.has(kind)) return;
      held.set(kind, take(kind, peer));
      give("unknown");
      give("ordinary");
    },
    release() {
      released = true;
      for (const name of [...held.keys()]) give(name);
    },
  };
}
