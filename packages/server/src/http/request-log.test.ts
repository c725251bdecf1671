import { type ClientHttp2Session, connect } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import type { LogFields, Logger } from "@ashlar/sdk/ports";
import { afterEach, describe, expect, it } from "vitest";
import { createPinoLogger } from "../observability/index.ts";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { createHttpListener, type HttpListener } from "./connection/listener.ts";
import type { HttpHandler } from "./http-handler.ts";
import { trustCaller } from "./request-context.ts";
import { createManualClock, type ManualClock } from "./testing/manual-clock.ts";
import { thingsHandlers } from "./testing/things-handlers.ts";

const TEXT_MAX = HTTP_LIMITS.LOG_TEXT_MAX.value;
const BURST_BYTES = HTTP_LIMITS.UNAUTHENTICATED_LINE_BYTES_BURST.value;
const BYTES_PER_SECOND = HTTP_LIMITS.UNAUTHENTICATED_LINE_BYTES_PER_SECOND.value;

/** A line with one text at its longest. */
const LINE_MAX_BYTES = 6 * TEXT_MAX + 1000;

const open: HttpListener[] = [];
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

interface Written {
  readonly url: string;
  readonly clock: ManualClock;
  /** Lines as they went out. */
  readonly lines: string[];
}

async function start(handler: HttpHandler, ownLogger?: Logger): Promise<Written> {
  const clock = createManualClock();
  const lines: string[] = [];
  const logger = ownLogger ?? createPinoLogger({ destination: { write: (line) => void lines.push(line) } });
  const listener = createHttpListener({ handler: thingsHandlers(handler, { clock, logger }).handler, clock, logger });
  open.push(listener);
  const { url } = await listener.listen();
  return { url, clock, lines };
}

/** Sends each request on its own connection, so that no bound on requests is reached. */
async function ask(url: string, headers: Record<string, string>): Promise<void> {
  const session = connect(url, { maxSendHeaderBlockLength: 1_000_000 });
  sessions.push(session);
  session.on("error", () => {});
  const stream = session.request(headers);
  stream.on("error", () => {});
  stream.resume();
  await new Promise((resolve) => stream.once("close", resolve));
  session.destroy();
}

const refusing: HttpHandler = async () => {
  throw new AshlarError("UNAUTHENTICATED", "no");
};
const bytesOf = (lines: readonly string[]): number => Buffer.byteLength(lines.join(""));
/** Each of these characters becomes six bytes in the log. */
const evil = `/things/${"\u009b".repeat(30_000)}`;

describe("the log lines of unauthenticated callers", () => {
  it("have a budget of bytes, whatever is in them, and the next line says how many were left out", async () => {
    const { url, clock, lines } = await start(refusing);
    for (let count = 0; count < 150; count++) await ask(url, { ":path": evil });
    const first = lines.length;
    expect(bytesOf(lines)).toBeLessThan(BURST_BYTES);
    expect(first).toBeGreaterThan(10);
    expect(first).toBeLessThan(150);
    await clock.advance(10_000);
    lines.length = 0;
    for (let count = 0; count < 20; count++) await ask(url, { ":path": evil });
    expect(bytesOf(lines)).toBeLessThan(10 * BYTES_PER_SECOND + LINE_MAX_BYTES);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ linesLeftOut: 150 - first, code: "UNAUTHENTICATED" });
    expect(JSON.parse(lines[1] ?? "")).not.toHaveProperty("linesLeftOut");
  });

  it("share their budget with the lines that report a failure", async () => {
    const { url, lines } = await start(async () => {
      throw new AshlarError("METADATA_UNAVAILABLE", "\u009b".repeat(60_000));
    });
    for (let count = 0; count < 150; count++) await ask(url, { ":path": "/things/1" });
    expect(bytesOf(lines)).toBeLessThan(BURST_BYTES);
    expect(lines.length).toBeLessThan(150);
    expect(lines.map((line) => JSON.parse(line).msg)).toContain("a request failed");
  });
});

describe("what a client sent", () => {
  it.each([
    ["a path", { ":path": evil }],
    ["a query", { ":path": `/things/1?${"\u009b".repeat(30_000)}` }],
    ["a method", { ":path": "/things/1", ":method": "M".repeat(30_000) }],
    ["a request id", { ":path": "/things/1", "ashlar-request-id": "i".repeat(30_000) }],
    ["a user agent", { ":path": "/things/1", "user-agent": "u".repeat(30_000) }],
    ["an origin", { ":path": "/things/1", origin: `https://${"o".repeat(30_000)}` }],
    [
      "a trace",
      { ":path": "/things/1", traceparent: `01-${"a".repeat(32)}-${"b".repeat(16)}-01-${"c".repeat(30_000)}` },
    ],
    ["a content type", { ":path": "/things/1", "content-type": "t".repeat(30_000) }],
  ])("is cut short in a line before it is escaped, with a key too: %s", async (_, headers) => {
    const { url, lines } = await start(async (request) => {
      trustCaller(request);
      return { status: 200 };
    });
    await ask(url, headers);
    expect(lines).toHaveLength(1);
    expect(bytesOf(lines)).toBeLessThan(LINE_MAX_BYTES);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ status: 200, code: "OK" });
  });

  it("is cut short for the app's own logger too", async () => {
    const seen: LogFields[] = [];
    const note = (fields: LogFields): void => void seen.push(fields);
    const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
    const { url } = await start(refusing, logger);
    await ask(url, { ":path": evil });
    expect(seen).toHaveLength(1);
    expect(String(seen[0]?.path).length).toBeLessThanOrEqual(TEXT_MAX + 1);
  });
});
