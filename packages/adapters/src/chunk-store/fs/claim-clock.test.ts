import type { Clock } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { ClaimClock } from "./claim-clock.ts";

const HOUR_MS = 3_600_000;

function steppedClock(): Clock & { pass(ms: number): void; jump(ms: number): void; suspend(ms: number): void } {
  let wallMs = 1_700_000_000_000;
  let monotonicMs = 5000;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    sleep: async () => {},
    pass(ms) {
      wallMs += ms;
      monotonicMs += ms;
    },
    jump(ms) {
      wallMs += ms;
    },
    suspend(ms) {
      wallMs += ms;
    },
  };
}

describe("the clock of claims", () => {
  test("a claim ages as time passes", () => {
    const clock = steppedClock();
    const claims = new ClaimClock(clock, 0);
    const stampMs = claims.stampMs();
    clock.pass(1234);
    expect(claims.unclaimedForMs(stampMs)).toBe(1234);
  });

  test("a step of the wall clock forward does not age claims", () => {
    const clock = steppedClock();
    const claims = new ClaimClock(clock, 0);
    const stampMs = claims.stampMs();
    clock.jump(24 * HOUR_MS);
    clock.pass(1000);
    expect(claims.unclaimedForMs(stampMs)).toBe(1000);
  });

  test("a step of the wall clock back does not age claims made before or after it", () => {
    const clock = steppedClock();
    const claims = new ClaimClock(clock, 0);
    const before = claims.stampMs();
    clock.jump(-24 * HOUR_MS);
    const after = claims.stampMs();
    clock.pass(1000);
    expect(claims.unclaimedForMs(before)).toBeLessThanOrEqual(1000);
    expect(claims.unclaimedForMs(after)).toBeLessThanOrEqual(1000);
  });

  test("after the machine slept, a claim made now is fresh for a process that starts now", () => {
    const clock = steppedClock();
    const claims = new ClaimClock(clock, 0);
    clock.suspend(24 * HOUR_MS);
    const stampMs = claims.stampMs();
    expect(new ClaimClock(clock, 0).unclaimedForMs(stampMs)).toBe(0);
  });

  test("no claim is older than the floor", () => {
    const clock = steppedClock();
    const claims = new ClaimClock(clock, clock.nowMs());
    clock.pass(10);
    expect(claims.unclaimedForMs(clock.nowMs() - 24 * HOUR_MS)).toBe(10);
  });
});
