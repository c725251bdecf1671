import { expect, test } from "vitest";
import { mapConcurrent } from "./file-system.ts";

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test("mapping keeps the order and never runs more at once than allowed", async () => {
  let running = 0;
  let most = 0;
  const doubled = await mapConcurrent([1, 2, 3, 4, 5, 6, 7], 3, async (value) => {
    most = Math.max(most, ++running);
    await pause();
    running--;
    return value * 2;
  });
  expect(doubled).toEqual([2, 4, 6, 8, 10, 12, 14]);
  expect(most).toBe(3);
});

test("after a failure no more work is started, and what runs is waited for", async () => {
  const started: number[] = [];
  let finished = 0;
  const mapping = mapConcurrent([1, 2, 3, 4], 2, async (value) => {
    started.push(value);
    if (value === 1) throw new Error("no");
    await pause();
    finished++;
  });
  await expect(mapping).rejects.toThrow("no");
  expect(started).toEqual([1, 2]);
  expect(finished).toBe(1);
});
