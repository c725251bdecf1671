import { describe, expect, it } from "vitest";
import { AshlarError } from "../../errors/index.ts";
import type { GatewayConnection } from "../../ports/index.ts";
import { createKeyHolder, renewingConnection } from "./key-holder.ts";

/** A gateway that takes one key, and calls which ask for the key late, as transports do. */
function gatewayOf(ask: () => string | Promise<string>): {
  readonly connection: GatewayConnection;
  readonly state: { accepted: string; calls: number };
  turn(): Promise<void>;
} {
  const holder = createKeyHolder(ask);
  const state = { accepted: "key-1", calls: 0 };
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  const catalog = {
    async getBucket(bucket: string) {
      await turn();
      const key = await holder.get();
      await turn();
      state.calls++;
      if (key !== state.accepted) throw new AshlarError("UNAUTHENTICATED", `${key} is refused`);
      if (bucket === "gone") throw new AshlarError("PERMISSION_DENIED", "not for you");
      return { bucket, createdAtMs: 1 };
    },
  };
  const bare = { catalog: Object.freeze(catalog), grants: {}, accessTokens: {}, cluster: {}, close: async () => {} };
  return { connection: renewingConnection(bare as unknown as GatewayConnection, holder), state, turn };
}

function counting(): { readonly ask: () => string; readonly asked: { count: number } } {
  const asked = { count: 0 };
  return { ask: () => `key-${++asked.count}`, asked };
}

describe("a key that a function gives", () => {
  it("is asked for at the first call, and kept", async () => {
    const { ask, asked } = counting();
    const { connection } = gatewayOf(ask);
    expect(asked.count).toBe(0);
    await Promise.all([1, 2, 3].map(() => connection.catalog.getBucket("box")));
    await connection.catalog.getBucket("box");
    expect(asked.count).toBe(1);
  });

  it("is asked for again once for all calls that are refused together", async () => {
    const { ask, asked } = counting();
    const { connection, state } = gatewayOf(ask);
    await connection.catalog.getBucket("box");
    state.accepted = "key-2";
    const found = await Promise.all(Array.from({ length: 50 }, () => connection.catalog.getBucket("box")));
    expect(found).toHaveLength(50);
    expect(asked.count).toBe(2);
  });

  it("is asked for again however the calls overlap", async () => {
    const { ask, asked } = counting();
    const { connection, state, turn } = gatewayOf(ask);
    const running: Promise<unknown>[] = [];
    for (let round = 0; round < 200; round++) {
      if (round % 40 === 20) state.accepted = `key-${asked.count + 1}`;
      running.push(connection.catalog.getBucket("box"));
      if (round % 3 === 0) await turn();
    }
    await Promise.all(running);
    expect(asked.count).toBeLessThanOrEqual(6);
    expect(asked.count).toBeGreaterThan(1);
  });

  it("is asked for once for each call: a key that is refused at once ends it", async () => {
    const { ask, asked } = counting();
    const { connection, state } = gatewayOf(ask);
    state.accepted = "none of them";
    await expect(connection.catalog.getBucket("box")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect([asked.count, state.calls]).toEqual([2, 2]);
    await expect(connection.catalog.getBucket("box")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(asked.count).toBe(3);
  });

  it("is not asked for again over anything but UNAUTHENTICATED", async () => {
    const { ask, asked } = counting();
    const { connection } = gatewayOf(ask);
    await expect(connection.catalog.getBucket("gone")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(asked.count).toBe(1);
  });

  it("that cannot be had fails the calls that wait, once, and the next call asks again", async () => {
    let online = false;
    let asked = 0;
    const broken = new TypeError("token is undefined");
    const { connection } = gatewayOf(async () => {
      asked++;
      if (!online) throw broken;
      return "key-1";
    });
    const failed = await Promise.allSettled([1, 2, 3].map(() => connection.catalog.getBucket("box")));
    for (const { reason } of failed as PromiseRejectedResult[])
      expect(reason).toMatchObject({ code: "UNAUTHENTICATED", message: "the apiKey function failed", cause: broken });
    expect(asked).toBe(1);
    online = true;
    expect(await connection.catalog.getBucket("box")).toMatchObject({ bucket: "box" });
    expect(asked).toBe(2);
  });

  it.each([
    ["its network is away", new TypeError("Failed to fetch")],
    ["its server does not answer", new DOMException("The operation timed out.", "TimeoutError")],
    ["a call of its own says so", new AshlarError("OVERLOADED", "busy")],
  ])("that cannot be had because %s is NODE_UNAVAILABLE, which is tried again", async (_, cause) => {
    const { connection } = gatewayOf(() => Promise.reject(cause));
    const error = await connection.catalog.getBucket("box").catch((reason: unknown) => AshlarError.from(reason));
    expect(error).toMatchObject({ code: "NODE_UNAVAILABLE", retryable: true, cause });
  });

  it.each([
    ["nothing", undefined],
    ["a number", 5],
    ["no text", ""],
    ["a line end", "key\r\nx: y"],
    ["blanks", "a b"],
  ])("that is %s is INVALID_ARGUMENT, and not shown", async (_, value) => {
    const { connection } = gatewayOf(() => value as string);
    const error = await connection.catalog.getBucket("box").catch((reason: unknown) => AshlarError.from(reason));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    if (value) expect((error as AshlarError).message).not.toContain(String(value));
  });
});
