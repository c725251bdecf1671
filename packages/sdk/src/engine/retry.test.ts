import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import type { Clock, Random } from "../ports/index.ts";
import { withRetry } from "./retry.ts";

/** A clock that writes down how long it was asked to sleep, and a random that always gives the same. */
function parts(fraction: number): { clock: Clock; random: Random; sleeps: number[] } {
  const sleeps: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: async (durationMs) => void sleeps.push(durationMs),
  };
  return { clock, random: { bytes: (count) => new Uint8Array(count), fraction: () => fraction }, sleeps };
}

const failing =
  (times: number, error: unknown = new AshlarError("NODE_UNAVAILABLE", "away")) =>
  async (): Promise<string> => {
    if (times-- > 0) throw error;
    return "done";
  };

describe("withRetry", () => {
  test("gives the answer of the first try that succeeds", async () => {
    const { clock, random, sleeps } = parts(1);
    expect(await withRetry(failing(0), { clock, random })).toBe("done");
    expect(sleeps).toEqual([]);
  });

  test("waits a random part of a bound that doubles, up to RETRY_MAX_MS", async () => {
    const all = parts(1);
    await withRetry(failing(9), { ...all, attempts: 10 });
    expect(all.sleeps).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    const half = parts(0.5);
    await withRetry(failing(2), half);
    expect(half.sleeps).toEqual([50, 100]);
  });

  test("gives up after CHUNK_ATTEMPTS tries with the last error", async () => {
    const { clock, random, sleeps } = parts(0);
    const errors: AshlarError[] = [];
    let tries = 0;
    const work = async (): Promise<never> => {
      const error = new AshlarError("NODE_UNAVAILABLE", `try ${++tries}`);
      errors.push(error);
      throw error;
    };
    const error: unknown = await withRetry(work, { clock, random }).catch((thrown: unknown) => thrown);
    expect(tries).toBe(6);
    expect(error).toBe(errors[5]);
    expect(sleeps).toHaveLength(5);
  });

  test("tells of each retry", async () => {
    const seen: [string, number][] = [];
    await withRetry(failing(2), { ...parts(0), onRetry: (error, attempt) => seen.push([error.code, attempt]) });
    expect(seen).toEqual([
      ["NODE_UNAVAILABLE", 1],
      ["NODE_UNAVAILABLE", 2],
    ]);
  });

  test.each([
    ["an error that no retry helps", new AshlarError("DISK_FULL", "full"), "DISK_FULL"],
    ["a bug", new TypeError("bug"), "INTERNAL"],
  ])("does not try again after %s", async (_, error, code) => {
    const { clock, random, sleeps } = parts(0);
    await expect(withRetry(failing(1, error), { clock, random })).rejects.toMatchObject({ code });
    expect(sleeps).toEqual([]);
  });

  test("does not try again once aborted", async () => {
    const { clock, random, sleeps } = parts(0);
    const signal = AbortSignal.abort();
    await expect(withRetry(failing(1), { clock, random, signal })).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
    expect(sleeps).toEqual([]);
  });
});
