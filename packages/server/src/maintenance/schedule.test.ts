import { silentLogger, systemClock } from "@ashlar/sdk/ports";
import { afterEach, expect, test } from "vitest";
import { type Schedule, startSchedule } from "./schedule.ts";

const NEVER_MS = 3_600_000;

let schedule: Schedule | undefined;
afterEach(() => schedule?.stop());

/** A schedule whose runs come after an hour, and end when the test says so. */
function start(fails = false): { readonly begun: () => number; readonly end: () => void } {
  let begun = 0;
  let end = (): void => {};
  schedule = startSchedule({
    name: "job",
    intervalMs: NEVER_MS,
    clock: systemClock,
    random: { fraction: () => 1 },
    logger: silentLogger,
    run: async () => {
      begun++;
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      if (fails) throw new Error("failed");
    },
  });
  return { begun: () => begun, end: () => end() };
}

test("a run comes at once when it is woken, and the next one is as far away as ever", async () => {
  const { begun, end } = start();
  schedule!.wake();
  await expect.poll(begun).toBe(1);
  end();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(begun()).toBe(1);
});

test.each([false, true])("a run that is woken meanwhile comes once more, whether it fails: %s", async (fails) => {
  const { begun, end } = start(fails);
  schedule!.wake();
  await expect.poll(begun).toBe(1);
  schedule!.wake();
  schedule!.wake();
  end();
  await expect.poll(begun).toBe(2);
  end();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(begun()).toBe(2);
});

test("it stops while it waits, and a wake after that does nothing", async () => {
  const { begun } = start();
  await schedule!.stop();
  schedule!.wake();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(begun()).toBe(0);
});
