import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { LIMITS } from "@ashlar/sdk/limits";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { HttpHandler } from "../http-handler.ts";
import { rawTalk } from "../testing/raw-talk.ts";
import { createHttpListener, type HttpListener } from "./listener.ts";

const MAX = HTTP_LIMITS.HEADER_COUNT_MAX.value;

let handled = 0;
/** Answers with the number of headers that it got, and the last of them. */
const counting: HttpHandler = async ({ header, body }) => {
  handled++;
  for await (const _ of body) {
    // take it
  }
  const count = [...header].length;
  return { status: 200, body: new TextEncoder().encode(`${count} ${header.get("authorization")}`) };
};

let listener: HttpListener;
let port = 0;
let url = "";

beforeAll(async () => {
  listener = createHttpListener({ handler: counting });
  ({ port, url } = await listener.listen());
});

afterAll(() => listener.close({ graceMs: 0 }));

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `x${index.toString(36)}`);

/** A request of `count` header fields, the last of which is the one that matters. */
function http1(count: number): ReturnType<typeof rawTalk> {
  const fill = names(count - 3).map((name) => `${name}:\r\n`);
  return rawTalk(port, [
    `GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${fill.join("")}authorization: me\r\n\r\n`,
  ]);
}

interface Http2Answer {
  readonly status: unknown;
  readonly text: string;
  readonly resetWith: number;
}

/** `count` includes what HTTP/2 adds by itself: method, authority, scheme and path. */
async function http2(count: number, trailerCount = 0): Promise<Http2Answer> {
  const session: ClientHttp2Session = connect(url, { maxSendHeaderBlockLength: 1_000_000 });
  session.on("error", () => {});
  const fill = Object.fromEntries(names(count - 5).map((name) => [name, ""]));
  const headers = { ":path": "/a", ":method": "PUT", ...fill, authorization: "me" };
  const stream = session.request(headers, { endStream: trailerCount === 0, waitForTrailers: trailerCount > 0 });
  stream.on("wantTrailers", () =>
    stream.sendTrailers(Object.fromEntries(names(trailerCount).map((name) => [name, ""]))),
  );
  let status: unknown;
  let text = "";
  stream.on("error", () => {});
  stream.on("response", (head: IncomingHttpHeaders) => {
    status = head[":status"];
  });
  stream.setEncoding("utf8").on("data", (piece) => {
    text += piece;
  });
  if (trailerCount > 0) stream.end("x");
  await new Promise((resolve) => stream.once("close", resolve));
  session.destroy();
  return { status, text, resetWith: stream.rstCode ?? 0 };
}

describe("header fields up to HEADER_COUNT_MAX", () => {
  it("are all there, over HTTP/1.1", async () => {
    for (const count of [33, 128, LIMITS.METADATA_ENTRIES_MAX + 40, MAX]) {
      const { text, statuses } = await http1(count);
      expect(statuses, String(count)).toEqual([200]);
      expect(text).toContain(`${count} me`);
    }
  });

  it("are all there, over HTTP/2", async () => {
    for (const count of [100, 129, LIMITS.METADATA_ENTRIES_MAX + 40, MAX]) {
      const { status, text } = await http2(count);
      // Of the four that HTTP/2 adds, the handler sees none but the authority, as host.
      expect([count, status, text.endsWith(" me")]).toEqual([count, 200, true]);
      expect(Number.parseInt(text, 10)).toBeGreaterThanOrEqual(count - 4);
    }
  });
});

describe("one header field more", () => {
  it("is refused with 431 over HTTP/1.1, and none is silently dropped", async () => {
    handled = 0;
    // Node hands headers over by 32.
    for (const count of [MAX + 1, MAX + 2, MAX + 31, MAX + 32, MAX + 33, 2 * MAX, 8000]) {
      const { text, statuses, closed } = await http1(count);
      expect([count, statuses, closed]).toEqual([count, [431], true]);
      expect(text).toContain("application/problem+json");
      expect(text).toContain('"code":"INVALID_ARGUMENT"');
      expect(text).toMatch(/ashlar-request-id: \w+/);
    }
    expect(handled).toBe(0);
  });

  it("resets the stream with ENHANCE_YOUR_CALM over HTTP/2", async () => {
    handled = 0;
    for (const count of [MAX + 1, 2 * MAX]) {
      const answer = await http2(count);
      expect(answer).toEqual({ status: undefined, text: "", resetWith: constants.NGHTTP2_ENHANCE_YOUR_CALM });
    }
    expect(handled).toBe(0);
  });

  it("resets the stream if it is among the trailers too", async () => {
    expect((await http2(10, MAX)).status).toBe(200);
    expect((await http2(10, MAX + 1)).resetWith).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
});
