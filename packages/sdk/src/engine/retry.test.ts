import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { Clock, Random } from "../ports/index.ts";
import { type RetryEvent, retrying, withRetry } from "./retry.ts";

/** A clock that writes down how long it was asked to sleep, and a random that always gives the same. */
function parts(fraction: number): { clock: Clock; random: Random; sleeps: number[] } {
  const sleeps: number[] = [];
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(durationMs) {
      sleeps.push(durationMs);
      nowMs += durationMs;
    },
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
    await withRetry(failing(7), all);
    expect(all.sleeps).toEqual([101, 201, 401, 801, 1601, 2001, 2001]);
    const half = parts(0.5);
    await withRetry(failing(2), half);
    expect(half.sleeps).toEqual([51, 101]);
  });

  test("goes on for RETRY_FOR_MS from the first failure, or as told, and gives the last error", async () => {
    for (const [forMs, retry] of [[LIMITS.RETRY_FOR_MS], [2500, { forMs: 2500 }]] as const) {
      const { clock, random, sleeps } = parts(1);
      let tries = 0;
      const work = async (): Promise<never> => {
        throw new AshlarError("NODE_UNAVAILABLE", `try ${++tries}`);
      };
      const error: unknown = await withRetry(work, { clock, random, retry }).catch((thrown: unknown) => thrown);
      expect(sleeps.reduce((sum, each) => sum + each, 0)).toBe(forMs);
      expect(error).toMatchObject({ message: `try ${sleeps.length + 1}` });
    }
  });

  test("tries once with forMs 0, and no more often than `attempts`", async () => {
    const none = parts(1);
    await expect(withRetry(failing(1), { ...none, retry: { forMs: 0 } })).rejects.toMatchObject({ message: "away" });
    expect(none.sleeps).toEqual([]);
    const two = parts(1);
    await expect(withRetry(failing(2), { ...two, attempts: 2 })).rejects.toMatchObject({ message: "away" });
    expect(two.sleeps).toHaveLength(1);
  });

  test("waits as long as the server asks, and gives up if that is longer than the time that is left", async () => {
    const asks = (ms: number): AshlarError =>
      new AshlarError("OVERLOADED", "full", { details: { retryAfterMs: String(ms) } });
    const patient = parts(0);
    await withRetry(failing(1, asks(3000)), patient);
    expect(patient.sleeps).toEqual([3000]);
    const hasty = parts(0);
    await expect(withRetry(failing(1, asks(31_000)), hasty)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(hasty.sleeps).toEqual([]);
  });

  test("gives up soon on bytes that arrive damaged, and at once on a failed TLS handshake", async () => {
    const damaged = parts(0);
    const mismatch = new AshlarError("CHUNK_DIGEST_MISMATCH", "damaged");
    await expect(withRetry(failing(99, mismatch), damaged)).rejects.toBe(mismatch);
    expect(damaged.sleeps).toHaveLength(5);
    const secured = parts(0);
    const cause = Object.assign(new Error("self-signed"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    const tls = new AshlarError("NODE_UNAVAILABLE", "TLS failed", { cause });
    await expect(withRetry(failing(9, tls), secured)).rejects.toBe(tls);
    expect(secured.sleeps).toEqual([]);
  });

  test("tells the policy's `onRetry` how long it waits and how long it will go on", async () => {
    const events: RetryEvent[] = [];
    const retry = { forMs: 1000, onRetry: (event: RetryEvent) => void events.push(event) };
    await withRetry(failing(2), { ...parts(1), retry });
    expect(events.map(({ attempt, waitMs, leftMs }) => [attempt, waitMs, leftMs])).toEqual([
      [1, 101, 1000],
      [2, 201, 899],
    ]);
  });

  test("reports each retry", async () => {
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

describe("a port that tries again", () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
  const away = (cause: Error): AshlarError => new AshlarError("NODE_UNAVAILABLE", "away", { cause });

  test.each([
    ["its connection was refused", [away(refused)], false],
    ["its connection broke", [away(reset)], true],
    ["its connection broke, and then was refused", [away(reset), away(refused)], true],
    ["the server was busy", [new AshlarError("OVERLOADED", "busy")], false],
    ["the store says so", [new AshlarError("METADATA_UNAVAILABLE", "?", { details: { outcome: "unknown" } })], true],
    ["the database was away", [new AshlarError("METADATA_UNAVAILABLE", "away")], false],
    ["it was refused", [new AshlarError("PRECONDITION_FAILED", "no")], false],
    ["an answer was lost before it was refused", [away(reset), new AshlarError("UNAUTHENTICATED", "no")], true],
  ] as const)("tells whether a write may have happened: %s", async (_, errors, unknown) => {
    const left = [...errors];
    const last = errors.at(-1) as AshlarError;
    const port = retrying(
      Object.freeze({ write: async (_name: string, _options: object) => Promise.reject(left.shift() ?? last) }),
      { ...parts(1), retry: { forMs: 150 } },
    );
    const outcome = { unknown: false };
    await expect(port.write("k", { outcome })).rejects.toBe(last);
    expect(outcome.unknown).toBe(unknown);
  });

  test("goes on saying that a write may have happened when a later try is refused, also to callers that pass no outcome", async () => {
    const lost = new AshlarError("METADATA_UNAVAILABLE", "lost", { details: { outcome: "unknown" } });
    const errors = [lost, new AshlarError("METADATA_UNAVAILABLE", "stopped"), new AshlarError("DISK_FULL", "full")];
    const port = retrying({ write: async () => Promise.reject(errors.shift()) }, parts(1));
    const failed: unknown = await port.write().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "DISK_FULL", details: { outcome: "unknown" } });
    const refused = retrying({ write: failing(9, new AshlarError("DISK_FULL", "full")) }, parts(1));
    expect(await refused.write().catch((error: AshlarError) => error.details)).toEqual({});
  });

  test("knows that a write happened once it is answered", async () => {
    const work = failing(2, away(reset));
    const outcome = { unknown: false };
    expect(await retrying({ write: (_: object) => work() }, parts(0)).write({ outcome })).toBe("done");
    expect(outcome.unknown).toBe(false);
  });
});
