import { describe, expect, it } from "vitest";
import { createMetrics } from "../../observability/index.ts";
import type { Peer } from "../exchange/exchange.ts";
import { createManualClock } from "../testing/manual-clock.ts";
import { type Admission, createAdmission, type OpenKind, type Place } from "./admission.ts";
import { HTTP_LIMITS } from "./http-limits.ts";

const MAX = 64;
const start = (): Admission =>
  createAdmission({ requestsInFlightMax: MAX, metrics: createMetrics(), clock: createManualClock() });
const peer = (address: string): Peer => ({ address, connection: {} });

/** Lets a request with a good key in; `undefined` if it is refused. */
function enter(admission: Admission, from: Peer, credential?: string): Place | undefined {
  const place = admission.admit(from);
  try {
    if (place.refusal !== undefined) throw place.refusal;
    place.trust(credential === undefined ? {} : { credential });
    return place;
  } catch (error) {
    expect(error).toMatchObject({ code: "OVERLOADED", retryable: true });
    place.release();
    return undefined;
  }
}

/** How many of 4 × MAX requests got in. */
const flood = (admission: Admission, from: (index: number) => [Peer, string?]): number =>
  Array.from({ length: 4 * MAX }, (_, index) => enter(admission, ...from(index))).filter(Boolean).length;

describe("slots of requests whose key is good", () => {
  it("go to one client, up to REQUESTS_IN_FLIGHT_MAX, when nobody else wants them", () => {
    expect(flood(start(), () => [peer("10.0.0.1"), "key"])).toBe(MAX);
    expect(flood(start(), (index) => [peer(`10.0.${index}.1`), "key"])).toBe(MAX);
  });

  it("are left for another address, another key behind the same proxy, and many of them", () => {
    const admission = start();
    flood(admission, () => [peer("10.0.0.1"), "greedy"]);
    expect(enter(admission, peer("10.0.0.2"), "other")).toBeDefined();
    expect(enter(admission, peer("10.0.0.1"), "third")).toBeDefined();
    expect(admission.isFull(peer("10.0.0.3"))).toBe(false);
  });

  it("are shared by a key, from however many addresses it is used", () => {
    const admission = start();
    flood(admission, (index) => [peer(`10.0.${index}.1`), "greedy"]);
    expect(enter(admission, peer("10.1.0.1"), "greedy")).toBeUndefined();
    expect(enter(admission, peer("10.1.0.1"), "other")).toBeDefined();
  });

  it("are left even by several greedy clients together", () => {
    const admission = start();
    flood(admission, (index) => [peer(`10.0.0.${index % 5}`), `greedy ${index % 5}`]);
    expect(enter(admission, peer("10.1.0.1"), "other")).toBeDefined();
  });

  it("are not held by refused requests", () => {
    const admission = start();
    flood(admission, () => [peer("10.0.0.1"), "greedy"]);
    const before = admission.crowding();
    for (let index = 0; index < MAX; index++) {
      const place = admission.admit(peer("10.0.0.1"));
      expect(() => place.trust({ credential: "greedy" })).toThrow();
    }
    expect(admission.crowding()).toBe(before);
  });

  it("of one token are fewer than those of the key that issued it", () => {
    const admission = start();
    const token = (name: string): Place | undefined => {
      const place = admission.admit(peer(`10.0.0.${name}`));
      try {
        place.trust({ credential: "key", token: name });
        return place;
      } catch {
        return undefined;
      }
    };
    for (let index = 0; index < 4 * MAX; index++) token("1");
    expect(token("2")).toBeDefined();
  });

  it("come back, and no share is counted twice", () => {
    const admission = start();
    for (let turn = 0; turn < 3; turn++) {
      const places = Array.from({ length: MAX }, () => enter(admission, peer("10.0.0.1"), "key"));
      expect(places.every((place) => place !== undefined)).toBe(true);
      for (const place of places) {
        place?.release();
        place?.release();
      }
    }
    expect(admission.crowding()).toBe(0);
  });
});

describe("slots of requests whose key is being checked", () => {
  it("are left even by several addresses together", () => {
    const admission = createAdmission({
      requestsInFlightMax: 8192,
      metrics: createMetrics(),
      clock: createManualClock(),
    });
    for (let index = 0; index < HTTP_LIMITS.UNKNOWN_REQUESTS_MAX.value * 2; index++)
      admission.admit(peer(`10.0.0.${index % 4}`));
    expect(admission.admit(peer("10.1.0.1")).refusal).toBeUndefined();
  });
});

describe("calls without a key", () => {
  /** Makes calls, and notes the addresses whose calls gave way, in order. */
  function calls(kind: OpenKind): { readonly gone: string[]; call(address: string): boolean } {
    const admission = start();
    const gone: string[] = [];
    return {
      gone,
      call(address) {
        const place = admission.admit(peer(address));
        try {
          place.moveTo(kind, { mayGiveWay: () => true, giveWay: () => void gone.push(address) });
          return true;
        } catch {
          place.release();
          return false;
        }
      },
    };
  }

  it("that wait for their message: the oldest of the address that holds most gives way, so that nobody is refused", () => {
    const { gone, call } = calls("open");
    for (let index = 0; index < 600; index++) expect(call(`10.0.${index % 4}.1`)).toBe(true);
    expect(new Set(gone).size).toBe(4);
    gone.length = 0;
    expect(call("10.1.0.1")).toBe(true);
    expect(gone).toEqual([]);
    for (let index = 0; index < 1000; index++) expect(call(`10.2.${index >> 8}.${index & 255}`)).toBe(true);
    expect(call("10.1.0.1")).toBe(true);
  });

  it("that stay open: a newcomer ends a call of an address that has more, and an address keeps what it has", () => {
    const { gone, call } = calls("long-lived");
    const max = HTTP_LIMITS.LONG_LIVED_CALLS_PER_ADDRESS_MAX.value;
    expect(Array.from({ length: 2 * max }, () => call("10.0.0.1")).filter(Boolean)).toHaveLength(max);
    expect(gone).toEqual([]);
    for (let index = 0; index < 1000; index++) call(`10.2.${index % 100}.1`);
    gone.length = 0;
    for (let index = 0; index < 500; index++) expect(call(`10.3.${index >> 8}.${index & 255}`)).toBe(true);
    expect(gone.length).toBeGreaterThan(0);
  });

  it("are refused where nobody gives way", () => {
    const admission = start();
    const call = (): void =>
      admission.admit(peer("10.0.0.1")).moveTo("open", { mayGiveWay: () => false, giveWay: () => {} });
    const refused = (): number => {
      let count = 0;
      for (let index = 0; index < HTTP_LIMITS.OPEN_CALLS_MAX.value; index++) {
        try {
          call();
        } catch {
          count++;
        }
      }
      return count;
    };
    expect(refused()).toBe(HTTP_LIMITS.OPEN_CALLS_MAX.value - HTTP_LIMITS.OPEN_CALLS_PER_ADDRESS_MAX.value);
  });
});
