import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { withRetry } from "../engine/retry.ts";
import { AshlarError } from "../errors/index.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { type Clock, systemClock, systemRandom } from "../ports/index.ts";
import { beginCall } from "./call-options.ts";
import { createClient } from "./create-client.ts";
import { mergeEntries } from "./merge-entries.ts";
import { walkPages } from "./pages.ts";
import type { OpenedSeat } from "./seat.ts";
import { createSeatCall } from "./seat-calls.ts";
import { createSeatOpener } from "./seat-opener.ts";
import { direct } from "./seats/direct.ts";
import { gateway } from "./seats/gateway.ts";

const client = { onClose: () => () => {} };

/** A call whose timeout has started. */
function timedCall(options: Parameters<typeof beginCall>[0], clock = systemClock): ReturnType<typeof beginCall> {
  const scope = beginCall(options, client);
  scope.limit(clock);
  return scope;
}

describe("the scope of a call", () => {
  test("ends with DEADLINE_EXCEEDED after the timeout, and with the caller's reason before", async () => {
    const timed = timedCall({ timeoutMs: 10 });
    await new Promise((resolve) => timed.signal.addEventListener("abort", resolve));
    expect(timed.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const controller = new AbortController();
    const scope = timedCall({ signal: controller.signal, timeoutMs: 10_000 });
    controller.abort("why");
    expect(scope.signal.reason).toBe("why");
  });

  test.each([
    ["keeps failing", [], false, { code: "METADATA_UNAVAILABLE" }],
    ["waits with others for work that keeps failing", [], true, { code: "METADATA_UNAVAILABLE" }],
    ["has succeeded since", ["done"], false, undefined],
  ] as const)(
    "whose timeout ends it gives the last failure as the cause, unless a later try worked: it %s",
    async (...[, answers, underOwner, cause]) => {
      const sleepers = new Map<number, () => void>();
      const clock: Clock = {
        nowMs: () => 0,
        monotonicMs: () => 0,
        sleep: (durationMs, { signal } = {}) =>
          new Promise((resolve, reject) => {
            sleepers.set(durationMs, resolve);
            signal?.addEventListener("abort", () => reject(signal.reason));
          }),
      };
      const scope = timedCall({ timeoutMs: 100_000 }, clock);
      const owner = new AbortController();
      const { signal } = linkCall(linkCall(scope.signal, owner.signal).signal);
      const left: string[] = [...answers];
      let tries = 0;
      const work = async (): Promise<string> => {
        const answer = tries++ === 0 ? undefined : left.shift();
        if (answer !== undefined) return answer;
        throw new AshlarError("METADATA_UNAVAILABLE", "away");
      };
      const random = { ...systemRandom, fraction: () => 0 };
      const outcome = withRetry(work, { clock, random, signal: underOwner ? owner.signal : signal }).catch(
        (error: unknown) => error,
      );
      await expect.poll(() => sleepers.has(1)).toBe(true);
      if (answers.length > 0) {
        sleepers.get(1)?.();
        expect(await outcome).toBe("done");
      }
      sleepers.get(100_000)?.();
      await expect.poll(() => scope.signal.aborted).toBe(true);
      expect(scope.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      if (cause === undefined) expect((scope.signal.reason as Error).cause).toBeUndefined();
      else expect(scope.signal.reason).toMatchObject({ cause });
      owner.abort();
      await outcome;
    },
  );

  test.each([2 ** 31, Number.POSITIVE_INFINITY])("does not end early where the timeout is %d ms", async (timeoutMs) => {
    const scope = timedCall({ timeoutMs });
    await systemClock.sleep(20);
    expect(scope.signal.aborted).toBe(false);
    scope.rest();
  });

  test("leaves no listener on the caller's signal when it ends", () => {
    const { signal } = new AbortController();
    const scope = timedCall({ signal, timeoutMs: 10_000 });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    scope.rest();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("rests without timer and listener, and sees what happened meanwhile when it wakes", () => {
    let now = 0;
    const sleepers = new Set<AbortSignal>();
    const clock: Clock = {
      nowMs: () => now,
      monotonicMs: () => now,
      sleep: (_, options) =>
        new Promise(() => {
          sleepers.add(options?.signal as AbortSignal);
        }),
    };
    const controller = new AbortController();
    const options = { signal: controller.signal, timeoutMs: 1000 };
    const [late, aborted] = [timedCall(options, clock), timedCall(options, clock)];
    for (const scope of [late, aborted]) scope.rest();
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect([...sleepers].map((sleeper) => sleeper.aborted)).toEqual([true, true]);
    now = 1000;
    late.wake();
    expect(late.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    controller.abort("why");
    aborted.wake();
    expect(aborted.signal.reason).toBe("why");
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });
});

describe("the scope of a call, when the client is closed,", () => {
  const seat = { name: "none", open: () => Promise.reject(new Error("never opened")) };

  test("ends with STORE_CLOSED, and leaves neither timer nor listener", async () => {
    const opener = createSeatOpener(seat);
    const { signal } = new AbortController();
    const timers: AbortSignal[] = [];
    const clock: Clock = {
      ...systemClock,
      sleep: (_, options) => {
        timers.push(options?.signal as AbortSignal);
        return new Promise(() => {});
      },
    };
    const scope = beginCall({ signal, timeoutMs: 10_000 }, opener);
    scope.limit(clock);
    await opener.close();
    expect(scope.signal.reason).toMatchObject({ code: "STORE_CLOSED" });
    expect(timers.map((timer) => timer.aborted)).toEqual([true]);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("ends when it wakes, if it rested until then", async () => {
    const opener = createSeatOpener(seat);
    const { signal } = new AbortController();
    const scope = beginCall({ signal }, opener);
    scope.rest();
    await opener.close();
    expect(scope.signal.aborted).toBe(false);
    scope.wake();
    expect(scope.signal.reason).toMatchObject({ code: "STORE_CLOSED" });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("a page of a listing", () => {
  test("becomes one sequence in the order of UTF-8 bytes", () => {
    const object = (key: string) => ({ key, objectVersion: "v", sizeBytes: 1, etag: "e", createdAtMs: 0 });
    const names = mergeEntries({ objects: ["a", "b", "\uffff"].map(object), prefixes: ["a/", "\u{10000}/"] }).map(
      (entry) => (entry.type === "object" ? entry.key : entry.prefix),
    );
    // UTF-16 order would put the last two the other way round.
    expect(names).toEqual(["a", "a/", "b", "\uffff", "\u{10000}/"]);
  });

  test("follows another only when it is used up", async () => {
    const asked: (number | undefined)[] = [];
    const pages = walkPages(
      async (cursor: number | undefined) => {
        asked.push(cursor);
        return { items: cursor === 2 ? [] : [1, 2], next: cursor === undefined ? 1 : cursor === 1 ? 2 : undefined };
      },
      (page) => page.items,
      (page) => page.next,
    );
    expect((await pages.next()).value).toBe(1);
    expect(asked).toEqual([undefined]);
    const rest: number[] = [];
    for await (const item of pages) rest.push(item);
    expect(rest).toEqual([2, 1, 2]);
    expect(asked).toEqual([undefined, 1, 2]);
  });
});

describe("a seat", () => {
  const opened = (closed: () => void): OpenedSeat =>
    ({ clock: systemClock, close: async () => closed() }) as unknown as OpenedSeat;

  test("is opened once, by the first call, and closed once", async () => {
    let opens = 0;
    let closes = 0;
    const opener = createSeatOpener({
      name: "test",
      open: async () => {
        opens++;
        return opened(() => closes++);
      },
    });
    expect(opens).toBe(0);
    await Promise.all([opener.get(), opener.get()]);
    await Promise.all([opener.close(), opener.close()]);
    expect([opens, closes]).toEqual([1, 1]);
    await expect(opener.get()).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  test("that could not be opened is opened again by the next call", async () => {
    let opens = 0;
    const opener = createSeatOpener({
      name: "test",
      open: async () => {
        if (++opens === 1) throw new Error("not yet");
        return opened(() => {});
      },
    });
    const call = createSeatCall(opener);
    await expect(call({}, async () => 1)).rejects.toMatchObject({ code: "INTERNAL", message: "not yet" });
    expect(await call({}, async () => 2)).toBe(2);
  });

  test("that was never opened closes without opening", async () => {
    const opener = createSeatOpener({ name: "test", open: () => Promise.reject(new Error("never")) });
    await opener.close();
  });

  test("that hangs while it opens, or in a call, does not delay an abort", async () => {
    const hanging = createSeatCall(createSeatOpener({ name: "test", open: () => new Promise(() => {}) }));
    await expect(hanging({ signal: AbortSignal.timeout(10) }, async () => 1)).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    const open = createSeatCall(createSeatOpener({ name: "test", open: async () => opened(() => {}) }));
    await expect(open({ timeoutMs: 10 }, () => new Promise(() => {}))).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
  });

  test.each([
    { retry: { forMs: -1 } },
    { retry: { forMs: Number.NaN } },
    { hedgeAfterMs: -1 },
    { hedgeAfterMs: Number.NaN },
  ])("whose times are invalid is refused at once: %j", (options) => {
    for (const seat of [gateway, direct])
      expect(() => seat({ url: "http://127.0.0.1:1", ...options })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
  });

  test("passes Ashlar errors on as they are", async () => {
    const call = createSeatCall(createSeatOpener({ name: "test", open: async () => opened(() => {}) }));
    const own = new AshlarError("DISK_FULL", "full");
    await expect(call({}, () => Promise.reject(own))).rejects.toBe(own);
  });

  test.each(["ashlar_a_b\n", "ashlar_a b", "schlüssel", "\u0000", 5 as never])(
    "refuses the key %j at once",
    (apiKey) => {
      for (const seat of [gateway, direct]) {
        expect(() => seat({ url: "http://x", apiKey })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      }
    },
  );

  test.each(["", "gateway:9000", "ftp://x", "//x"])("refuses the url %j at once", (url) => {
    for (const make of [gateway, direct]) {
      expect(() => make({ url })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });
});

describe("a client of JavaScript that has no types", () => {
  test.each([[undefined], [{}], [() => {}]])("is told that %o is no seat", (seat) => {
    expect(() => createClient(seat as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("is told that a call's argument is missing", async () => {
    const client = createClient({ name: "test", open: () => Promise.reject(new Error("not opened")) });
    await expect(client.createBucket(undefined as never)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("argument is missing"),
    });
  });
});
