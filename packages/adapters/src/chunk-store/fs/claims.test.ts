import type { Clock } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { ClaimClock, KeyedLock } from "./claims.ts";

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

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test("work under one key runs alone and in order, work under another key at the same time", async () => {
  const lock = new KeyedLock();
  const log: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    log.push(`+${name}`);
    await pause();
    log.push(`-${name}`);
    return name;
  };
  const results = await Promise.all([lock.run("a", work("a1")), lock.run("a", work("a2")), lock.run("b", work("b1"))]);
  expect(results).toEqual(["a1", "a2", "b1"]);
  expect(log.filter((entry) => entry.includes("a"))).toEqual(["+a1", "-a1", "+a2", "-a2"]);
  expect(log.indexOf("+b1")).toBeLessThan(log.indexOf("-a1"));
});

test("a failure passes through and frees the key", async () => {
  const lock = new KeyedLock();
  const failing = lock.run("a", () => Promise.reject(new Error("no")));
  const next = lock.run("a", async () => "yes");
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("yes");
});
