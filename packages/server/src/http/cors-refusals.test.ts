import { describe, expect, test } from "vitest";
import { corsHandler } from "./cors.ts";
import { createRefusalLog } from "./cors-refusals.ts";
import type { HttpRequest } from "./http-handler.ts";

const MINUTES = 60_000;

function start(allowedOrigins?: readonly string[]) {
  const lines: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  let now = 0;
  const drop = (): void => {};
  const logger = {
    debug: drop,
    info: drop,
    error: drop,
    warn: (fields: Readonly<Record<string, unknown>>, message: string) => void lines.push({ fields, message }),
    child: () => logger,
  };
  const clock = { nowMs: () => now, monotonicMs: () => now, sleep: async () => {} };
  const handler = corsHandler(
    async () => ({ status: 200 }),
    allowedOrigins && { allowedOrigins },
    createRefusalLog(logger, clock),
  );
  const ask = (origin: string, host = "store.example:9000"): Promise<unknown> =>
    handler({
      method: "GET",
      url: `http://${host}/`,
      header: new Headers({ origin, host }),
      requestId: "r",
    } as unknown as HttpRequest);
  return {
    lines,
    ask,
    pass: (ms: number): void => {
      now += ms;
    },
  };
}

describe("a page that is refused", () => {
  test.each([[undefined], [["https://other.example"]]])(
    "is named with the flag to set (allowed: %j)",
    async (allowed) => {
      const { lines, ask } = start(allowed);
      await ask("https://app.example");
      expect(lines).toHaveLength(1);
      expect(lines[0]?.fields).toMatchObject({ origin: "https://app.example" });
      expect(lines[0]?.message).toContain("--cors-origins https://app.example");
    },
  );

  test("is not named again for ten minutes", async () => {
    const { lines, ask, pass } = start();
    for (let round = 0; round < 5; round++) await ask("https://app.example");
    expect(lines).toHaveLength(1);
    pass(10 * MINUTES);
    await ask("https://app.example");
    expect(lines).toHaveLength(2);
  });

  test("fills neither log nor memory with origins that any caller can make up", async () => {
    const { lines, ask, pass } = start();
    for (let index = 0; index < 1000; index++) await ask(`https://${index}.example`);
    expect(lines).toHaveLength(100);
    pass(10 * MINUTES);
    await ask("https://late.example");
    expect(lines).toHaveLength(101);
  });
});

test.each([
  ["allowed", "https://app.example"],
  ["the server's own", "http://store.example:9000"],
  ["no origin", "null"],
  ["no text for a log", `https://${"x".repeat(300)}`],
])("a page whose origin is %s is not logged", async (_, origin) => {
  const { lines, ask } = start(["https://app.example"]);
  await ask(origin);
  expect(lines).toEqual([]);
});
