import { expect, test } from "vitest";
import { KeyedLock } from "./keyed-lock.ts";
import { mapConcurrent } from "./map-concurrent.ts";

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test("work under one key runs alone and in order, work under another key beside it", async () => {
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
