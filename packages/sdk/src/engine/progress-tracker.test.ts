import { describe, expect, test } from "vitest";
import type { Clock, TransferProgress } from "../ports/index.ts";
import { createProgressTracker } from "./progress-tracker.ts";

const unexpected = (error: unknown): never => {
  throw error;
};

function observed(totalBytes?: number) {
  let now = 0;
  const clock: Clock = { nowMs: () => now, monotonicMs: () => now, sleep: async () => {} };
  const events: TransferProgress[] = [];
  const onProgress = (event: TransferProgress): void => void events.push(event);
  const tracker = createProgressTracker({ onProgress, totalBytes, clock, fail: unexpected });
  const at = (ms: number): void => {
    now = ms;
  };
  return { tracker, events, at };
}

describe("a progress tracker", () => {
  test("sums what moves side by side, at most 20 times a second", () => {
    const { tracker, events, at } = observed(100);
    const [a, b] = [tracker.meter(), tracker.meter()];
    a(10);
    at(49);
    b(20);
    at(50);
    a(30);
    expect(events).toEqual([
      { transferredBytes: 10, totalBytes: 100 },
      { transferredBytes: 50, totalBytes: 100 },
    ]);
  });

  test("counts each byte once, however often a chunk is sent again", () => {
    const { tracker, events, at } = observed(100);
    const meter = tracker.meter();
    meter(40);
    at(100);
    meter(10);
    at(200);
    meter(40);
    expect(events).toHaveLength(1);
    at(300);
    meter(41);
    expect(events.at(-1)?.transferredBytes).toBe(41);
  });

  test("sends the last event however short ago the one before was, and none twice", async () => {
    const { tracker, events } = observed(10);
    const meter = tracker.meter();
    meter(5);
    meter(10);
    expect(events).toHaveLength(1);
    await tracker.finish();
    await tracker.finish();
    expect(events.at(-1)).toEqual({ transferredBytes: 10, totalBytes: 10 });
    expect(events).toHaveLength(2);
  });

  test("reports a total that becomes known at the end, also if no byte is left to report", async () => {
    const { tracker, events } = observed();
    tracker.meter()(10);
    expect(events).toEqual([{ transferredBytes: 10, totalBytes: undefined }]);
    tracker.setTotal(10);
    await tracker.finish();
    expect(events.at(-1)).toEqual({ transferredBytes: 10, totalBytes: 10 });
  });

  test.each([
    [
      "threw",
      (error: Error) => {
        throw error;
      },
    ],
    ["rejected with", (error: Error) => Promise.reject(error)],
  ])("ends the transfer once with what the caller %s, and keeps it from the transports", async (_, end) => {
    const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
    const own = new Error("the app's");
    const failures: unknown[] = [];
    let calls = 0;
    const onProgress = (): Promise<never> => {
      calls++;
      return end(own);
    };
    const tracker = createProgressTracker({ onProgress, totalBytes: 10, clock, fail: (error) => failures.push(error) });
    const meter = tracker.meter();
    // All bytes at once: the last event has nothing new to report, and the error is thrown all the same.
    meter(10);
    meter(10);
    const ended: unknown = await tracker.finish().catch((error: unknown) => error);
    expect(ended).toBe(failures[0]);
    expect(failures).toEqual([expect.objectContaining({ code: "INVALID_ARGUMENT", cause: own })]);
    expect(calls).toBe(1);
  });

  test("does nothing without an onProgress", async () => {
    const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
    const tracker = createProgressTracker({ onProgress: undefined, totalBytes: 10, clock, fail: unexpected });
    tracker.meter()(5);
    tracker.setTotal(5);
    await tracker.finish();
  });
});
