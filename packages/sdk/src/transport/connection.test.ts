import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { createConnection, undefinedIf } from "./connection.ts";

const errorFrom = (error: unknown): AshlarError => AshlarError.from(error);
const endpoint = { url: "http://localhost" };

describe("a connection", () => {
  test("asks the endpoint for its authorization at each call, and a call's grant replaces it", async () => {
    let asked = 0;
    const authorization = (): string => `Bearer key${asked++}`;
    const connection = createConnection({ endpoint: { ...endpoint, authorization }, errorFrom });
    const who = (options?: { readonly grant?: string }): Promise<string | undefined> =>
      connection.run(options, async ({ authorization: value }) => value);
    expect(await who()).toBe("Bearer key0");
    expect(await who({})).toBe("Bearer key1");
    expect(await who({ grant: "g" })).toBe("Bearer g");
    expect(asked).toBe(2);
  });

  test("rejects on an abort, even if the call below never notices", async () => {
    const connection = createConnection({ endpoint, errorFrom });
    const controller = new AbortController();
    const call = connection.run({ signal: controller.signal }, () => new Promise(() => {}));
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELED" });
  });

  test("tells a deadline from an abort, even if the library below does not", async () => {
    const connection = createConnection({ endpoint, errorFrom });
    const signal = AbortSignal.timeout(10);
    const call = connection.run(
      { signal },
      () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("canceled")))),
    );
    await expect(call).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  test("starts nothing when the signal is aborted already", async () => {
    const connection = createConnection({ endpoint, errorFrom });
    const call = connection.run({ signal: AbortSignal.abort() }, () => Promise.reject(new Error("was started")));
    await expect(call).rejects.toMatchObject({ code: "CANCELED" });
  });

  test("sends nothing for a call that was aborted while its authorization was waited for", async () => {
    let authorize: (value: string) => void = () => {};
    const authorization = (): Promise<string> =>
      new Promise((resolve) => {
        authorize = resolve;
      });
    const connection = createConnection({ endpoint: { ...endpoint, authorization }, errorFrom });
    const controller = new AbortController();
    let sent = 0;
    const call = connection.run({ signal: controller.signal }, async () => sent++);
    await new Promise((resolve) => setTimeout(resolve, 0));
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELED" });
    authorize("Bearer late");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(sent).toBe(0);
  });

  test("leaves no listener on the signal", async () => {
    const connection = createConnection({ endpoint, errorFrom });
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...call: Parameters<typeof add>): void => {
      listeners++;
      add(...call);
    };
    signal.removeEventListener = (...call: Parameters<typeof remove>): void => {
      listeners--;
      remove(...call);
    };
    await connection.run({ signal }, async () => 1);
    await expect(connection.run({ signal }, () => Promise.reject(new Error("x")))).rejects.toThrow();
    expect(listeners).toBe(0);
  });

  test("refuses calls after close, which releases once", async () => {
    let released = 0;
    const connection = createConnection({ endpoint, errorFrom, release: () => void released++ });
    await Promise.all([connection.close(), connection.close()]);
    await expect(connection.run(undefined, async () => 1)).rejects.toMatchObject({ code: "STORE_CLOSED" });
    expect(released).toBe(1);
  });
});

test("only the one code that means absent becomes undefined", async () => {
  const failing = (code: "CHUNK_NOT_FOUND" | "CHUNK_CORRUPT"): Promise<never> =>
    Promise.reject(new AshlarError(code, "x"));
  expect(await undefinedIf("CHUNK_NOT_FOUND", failing("CHUNK_NOT_FOUND"))).toBeUndefined();
  await expect(undefinedIf("CHUNK_NOT_FOUND", failing("CHUNK_CORRUPT"))).rejects.toMatchObject({
    code: "CHUNK_CORRUPT",
  });
});
