import { expect, test } from "vitest";
import { KeyedLock } from "./keyed-lock.ts";

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
