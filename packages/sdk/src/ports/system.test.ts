import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "./system.ts";

describe("the system's clock", () => {
  test("sleeps, and wakes with an error as soon as the signal aborts, leaving no listener", async () => {
    const startedAtMs = systemClock.monotonicMs();
    const controller = new AbortController();
    await systemClock.sleep(20, { signal: controller.signal });
    expect(systemClock.monotonicMs() - startedAtMs).toBeGreaterThanOrEqual(19);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    const sleeping = systemClock.sleep(60_000, { signal: controller.signal });
    controller.abort();
    await expect(sleeping).rejects.toMatchObject({ code: "CANCELED" });
    await expect(systemClock.sleep(1, { signal: controller.signal })).rejects.toMatchObject({ code: "CANCELED" });
  });

  // A timer of more than 2^31 - 1 ms fires at once in Node and in browsers.
  test.each([2 ** 31, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
    "does not wake early from %d ms",
    async (durationMs) => {
      const controller = new AbortController();
      let woke = false;
      const sleeping = systemClock.sleep(durationMs, { signal: controller.signal }).then(() => {
        woke = true;
      });
      await systemClock.sleep(20);
      expect(woke).toBe(false);
      controller.abort();
      await expect(sleeping).rejects.toMatchObject({ code: "CANCELED" });
    },
  );
});

describe("the system's randomness", () => {
  test("gives as many bytes as asked, never the same, and fractions below 1", () => {
    expect(systemRandom.bytes(32)).toHaveLength(32);
    expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
    for (let count = 0; count < 100; count++) {
      const fraction = systemRandom.fraction();
      expect(fraction).toBeGreaterThanOrEqual(0);
      expect(fraction).toBeLessThan(1);
    }
  });
});
