import { type AshlarError, abortError } from "@ashlar/sdk/errors";
import { KIB, MIB } from "@ashlar/sdk/limits";
import type { Clock } from "@ashlar/sdk/ports";
import { describe, expect, it } from "vitest";
import type { Peer } from "../exchange/exchange.ts";
import type { HttpHandler, HttpRequest } from "../http-handler.ts";
import { budgetedHandler } from "./budgeted-handler.ts";
import { createByteBudget } from "./byte-budget.ts";

/** Sleeps until told to wake. */
function manualSleep(): Pick<Clock, "sleep"> & { wakeAll(): void } {
  const sleepers = new Set<() => void>();
  return {
    sleep: (_ms, options) =>
      new Promise((resolve, reject) => {
        sleepers.add(resolve);
        options?.signal?.addEventListener("abort", () => {
          sleepers.delete(resolve);
          reject(abortError(options.signal as AbortSignal));
        });
      }),
    wakeAll() {
      for (const wake of sleepers) wake();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const holder = (address: string, connection: object = {}): { address: string; connection: object } => ({
  address,
  connection,
});

describe("a budget of bytes", () => {
  it("makes takers of more than there is wait, in order, and grants what comes back", async () => {
    const budget = createByteBudget({ maxBytes: 100, clock: manualSleep() });
    const first = await budget.take(60, {});
    const order: string[] = [];
    const named = async (name: string, bytes: number): Promise<() => void> => {
      const giveBack = await budget.take(bytes, {});
      order.push(name);
      return giveBack;
    };
    const second = named("second", 50);
    const third = named("third", 10);
    await turn();
    expect([order, budget.takenBytes()]).toEqual([[], 60]);
    first();
    first();
    for (const giveBack of await Promise.all([second, third])) giveBack();
    expect([order, budget.takenBytes()]).toEqual([["second", "third"], 0]);
  });

  it("answers OVERLOADED after a while, and lets an aborted waiter go at once", async () => {
    const clock = manualSleep();
    const budget = createByteBudget({ maxBytes: 100, clock });
    const held = await budget.take(100, {});
    const waiting = budget.take(1, {});
    const abort = new AbortController();
    const aborted = budget.take(1, { signal: abort.signal });
    abort.abort(new Error("gone"));
    await expect(aborted).rejects.toBeDefined();
    clock.wakeAll();
    await expect(waiting).rejects.toMatchObject({ code: "OVERLOADED", retryable: true });
    held();
    (await budget.take(500, {}))();
    expect(budget.takenBytes()).toBe(0);
  });

  it("leaves something for others, whatever one connection or address asks for", async () => {
    const budget = createByteBudget({ maxBytes: 100, clock: manualSleep() });
    const one = holder("10.0.0.1");
    const held = [await budget.take(50, { holder: one })];
    let passed = 0;
    const count = (): void => void passed++;
    void budget.take(1, { holder: one }).then(count, () => {});
    held.push(await budget.take(25, { holder: holder("10.0.0.2") }));
    void budget.take(26, { holder: holder("10.0.0.1") }).then(count, () => {});
    await turn();
    expect(passed).toBe(0);
    held[0]?.();
    await turn();
    expect(passed).toBe(2);
  });

  it("leaves something for others, whatever several addresses ask for, and one key from many", async () => {
    const give = async (holderOf: (index: number) => Peer & { credential?: string }): Promise<number> => {
      const budget = createByteBudget({ maxBytes: 1000, clock: manualSleep() });
      for (let index = 0; index < 200; index++)
        void budget.take(10, { holder: holderOf(index) }).then(
          () => {},
          () => {},
        );
      await turn();
      let passed = 0;
      void budget.take(10, { holder: { ...holder("10.9.0.1"), credential: "other" } }).then(() => passed++);
      await turn();
      return passed;
    };
    expect(await give((index) => holder(`10.0.0.${index % 4}`))).toBe(1);
    expect(await give((index) => ({ ...holder(`10.0.${index}.1`), credential: "greedy" }))).toBe(1);
  });

  it("lets bodies that have begun end: new ones leave room for them", async () => {
    const budget = createByteBudget({ maxBytes: 1000, clock: manualSleep() });
    const one = (): Peer => holder("10.0.0.1");
    for (let index = 0; index < 100; index++) void budget.take(10, { holder: one(), isFirst: true }).catch(() => {});
    await turn();
    let ended = 0;
    void budget.take(100, { holder: one() }).then(() => ended++);
    await turn();
    expect(ended).toBe(1);
  });
});

describe("a handler under a budget", () => {
  const drain: HttpHandler = async ({ body }) => {
    const slices: Uint8Array[] = [];
    for await (const slice of body) slices.push(slice);
    return { status: 200, body: Buffer.concat(slices) };
  };

  function request(bytes: number, more: Partial<HttpRequest> = {}): HttpRequest {
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < bytes; sent += 16 * KIB) yield new Uint8Array(Math.min(16 * KIB, bytes - sent));
    }
    return {
      httpVersion: "1.1",
      method: "PUT",
      url: "http://localhost/",
      path: "/",
      query: "",
      header: new Headers(),
      requestId: "",
      signal: new AbortController().signal,
      body: body(),
      ...more,
    };
  }

  it("takes bytes before it holds them, and gives all back however it ends", async () => {
    const budget = createByteBudget({ maxBytes: 4 * MIB, clock: manualSleep() });
    const seen: number[] = [];
    const watched = (handler: HttpHandler): HttpHandler =>
      budgetedHandler(
        async (received) => {
          const response = await handler(received);
          seen.push(budget.takenBytes());
          return response;
        },
        { budget, heldMaxBytes: () => MIB, holderOf: () => undefined },
      );
    await watched(drain)(request(60 * KIB));
    await watched(drain)(request(MIB, { header: new Headers({ "content-length": String(MIB) }) }));
    await watched(drain)(request(9 * MIB));
    expect(seen).toEqual([0, MIB - 64 * KIB, MIB - 64 * KIB]);
    expect(budget.takenBytes()).toBe(0);
    const failing: HttpHandler = async (received) => {
      await drain(received);
      throw new Error("no");
    };
    await expect(watched(failing)(request(MIB))).rejects.toThrow("no");
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(200 * KIB);
      await new Promise(() => {});
    }
    void watched(drain)(request(0, { body: endless(), signal: abort.signal }));
    await turn();
    expect(budget.takenBytes()).toBeGreaterThan(0);
    abort.abort(new Error("gone"));
    expect(budget.takenBytes()).toBe(0);
  });

  it("counts a declared length as its bytes come, and does not trust the sender", async () => {
    const budget = createByteBudget({ maxBytes: 512 * MIB, clock: manualSleep() });
    async function* stalled(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(70 * KIB);
      await new Promise(() => {});
    }
    const handler = budgetedHandler(drain, { budget, heldMaxBytes: () => 4 * MIB, holderOf: () => undefined });
    const header = new Headers({ "content-length": String(4 * MIB) });
    for (let index = 0; index < 100; index++) void handler(request(0, { body: stalled(), header }));
    await turn();
    expect(budget.takenBytes()).toBeLessThanOrEqual(100 * 70 * KIB);
  });

  it("keeps what it took until the last byte of the answer is taken", async () => {
    const budget = createByteBudget({ maxBytes: MIB, clock: manualSleep() });
    async function* answer(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1);
    }
    const handler = budgetedHandler(
      async (received) => {
        await drain(received);
        return { status: 200, body: answer() };
      },
      { budget, heldMaxBytes: () => MIB, holderOf: () => undefined },
    );
    const { body } = await handler(request(MIB));
    expect(budget.takenBytes()).toBeGreaterThan(0);
    for await (const _ of body as AsyncIterable<Uint8Array>);
    expect(budget.takenBytes()).toBe(0);
  });

  it("refuses a body that it cannot hold with OVERLOADED", async () => {
    const clock = manualSleep();
    const budget = createByteBudget({ maxBytes: MIB, clock });
    await budget.take(MIB, {});
    const handler = budgetedHandler(drain, { budget, heldMaxBytes: () => MIB, holderOf: () => undefined });
    const answering = handler(request(MIB)).then(
      () => "answered",
      (error: AshlarError) => error.code,
    );
    await turn();
    await turn();
    clock.wakeAll();
    expect(await answering).toBe("OVERLOADED");
    expect((await handler(request(60 * KIB))).status).toBe(200);
  });
});
