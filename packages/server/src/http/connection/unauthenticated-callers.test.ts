import { Agent, request as httpRequest } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from "node:http2";
import { connect as connectTcp } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { HttpHandler } from "../http-handler.ts";
import { trustCaller } from "../request-context.ts";
import { createManualClock, type ManualClock } from "../testing/manual-clock.ts";
import { rawRequest } from "../testing/raw-request.ts";
import { thingsHandlers } from "../testing/things-handlers.ts";
import { createHttpListener, type HttpListener } from "./listener.ts";

const poll = { timeout: 20_000 };
const open: HttpListener[] = [];
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

const GOOD = { authorization: "good" };

/** Refuses callers without a key at once; reads the whole body of callers that show one. */
const guarded: HttpHandler = async (request) => {
  if (request.header.get("authorization") !== GOOD.authorization) return { status: 401, body: new Uint8Array(300) };
  trustCaller(request);
  let sizeBytes = 0;
  for await (const slice of request.body) sizeBytes += slice.byteLength;
  return { status: request.path.endsWith("/absent") ? 404 : 200, body: new TextEncoder().encode(String(sizeBytes)) };
};

async function start(handler: HttpHandler): Promise<{ readonly url: string; readonly clock: ManualClock }> {
  const clock = createManualClock();
  const { handler: whole } = thingsHandlers(handler, { clock });
  const listener = createHttpListener({ handler: whole, clock });
  open.push(listener);
  const { url } = await listener.listen();
  return { url, clock };
}

async function session(url: string, settings: Settings = {}): Promise<ClientHttp2Session> {
  const opened = connect(url, { settings, maxSessionMemory: 256 });
  sessions.push(opened);
  opened.on("error", () => {});
  await new Promise((resolve) => opened.once("remoteSettings", resolve));
  return opened;
}

function send(on: ClientHttp2Session, headers: Record<string, string>, body?: Uint8Array): ClientHttp2Stream {
  const stream = on.request({ ":path": "/things/1", ...headers }, { endStream: body === undefined });
  stream.on("error", () => {});
  if (body !== undefined) stream.write(body);
  return stream;
}

/** The status that a request is answered with, once its stream is over; 0 if there was none. */
const statusOf = (stream: ClientHttp2Stream): Promise<number> =>
  new Promise((resolve) => {
    let status = 0;
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
    });
    stream.once("close", () => resolve(status));
    stream.resume();
  });

/** Statuses of requests that are sent one after the other until the session is over. */
async function statusesOf(
  on: ClientHttp2Session,
  count: number,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const statuses: number[] = [];
  while (statuses.length < count && !on.destroyed && !on.closed) {
    const status = await statusOf(send(on, headers));
    if (status !== 0) statuses.push(status);
  }
  return statuses;
}

const pinged = (on: ClientHttp2Session): Promise<unknown> => new Promise((resolve) => on.ping(resolve));

describe("an untaken answer to a caller without a key", () => {
  const ways = {
    "a refusal": { ":method": "PUT" },
    "one to a probe": { ":path": "/healthz" },
    "the metrics": { ":path": "/metrics" },
    "that of a path that is not there": { ":path": "/nothing" },
    "that to an expectation": { expect: "much" },
  };
  it.each(Object.entries(ways))("is reset after UNAUTHENTICATED_ANSWER_MS: %s", async (_, headers) => {
    const { url, clock } = await start(guarded);
    const streams: ClientHttp2Stream[] = [];
    const opened = await session(url, { initialWindowSize: 0 });
    for (let index = 0; index < 50; index++) streams.push(send(opened, headers, new Uint8Array(1000)));
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("response", resolve))));
    await pinged(opened);
    expect(streams.filter((stream) => stream.closed)).toEqual([]);
    await clock.advance(HTTP_LIMITS.UNAUTHENTICATED_ANSWER_MS.value + HTTP_LIMITS.PACE_CHECK_MS.value);
    await expect.poll(() => streams.filter((stream) => !stream.closed).length, poll).toBe(0);
    expect(opened.closed).toBe(false);
  });

  it("has a bounded number of places", async () => {
    const { url } = await start(guarded);
    const perAddress = HTTP_LIMITS.UNAUTHENTICATED_ANSWERS_PER_ADDRESS_MAX.value;
    const all: ClientHttp2Stream[] = [];
    // Probes are not refusals: callers without a key may send many of them.
    for (let index = 0; index <= perAddress / 64; index++) {
      const opened = await session(url, { initialWindowSize: 0 });
      for (let count = 0; count < 64; count++) all.push(send(opened, { ":path": "/healthz" }));
      await pinged(opened);
    }
    await expect.poll(() => all.filter((stream) => !stream.closed).length, poll).toBeLessThanOrEqual(perAddress);
  });

  it.each([
    ["a tunnel", { ":method": "CONNECT", ":authority": "a:1" }, 405],
    ["headers that are too large", { ":method": "PUT", ":path": "/things/1", a: "a".repeat(70_000) }, 431],
  ] as const)("is one that no window holds back, for %s", async (_, headers, status) => {
    const { url } = await start(guarded);
    const opened = connect(url, { settings: { initialWindowSize: 0 }, maxSendHeaderBlockLength: 100_000 });
    sessions.push(opened);
    const stream = opened.request(headers, { endStream: false });
    stream.on("error", () => {});
    expect(await statusOf(stream)).toBe(status);
  });
});

describe("bytes that an unauthenticated caller sends and nobody reads", () => {
  it("are no more than the small windows while the key is being checked", async () => {
    const { url } = await start(() => new Promise(() => {}));
    const opened = await session(url);
    const body = new Uint8Array(1_000_000);
    for (let index = 0; index < 20; index++) send(opened, { ":method": "PUT" }, body);
    const sent = (): number => opened.socket.bytesWritten ?? 0;
    const maxBytes = 20 * HTTP_LIMITS.UNAUTHENTICATED_WINDOW_BYTES.value;
    await expect.poll(sent, poll).toBeGreaterThan(maxBytes);
    for (let turn = 0; turn < 20; turn++) await pinged(opened);
    // Frames and headers have bytes too.
    expect(sent()).toBeLessThan(maxBytes + 50_000);
  });

  it("are dropped once the request was refused, even if the answer is not taken", async () => {
    const { url } = await start(guarded);
    const opened = await session(url, { initialWindowSize: 0 });
    const body = new Uint8Array(4_000_000);
    const taken = Array.from({ length: 10 }, () => {
      const stream = opened.request({ ":method": "PUT", ":path": "/things/1" }, { endStream: false });
      stream.on("error", () => {});
      return new Promise<boolean>((resolve) => stream.write(body, (error) => resolve(error == null)));
    });
    expect(await Promise.all(taken)).toEqual(Array(10).fill(true));
  });

  it("make room for those of a good key at once: windows grow, for open streams too", async () => {
    const { url } = await start(guarded);
    const opened = await session(url);
    expect(opened.remoteSettings.initialWindowSize).toBe(HTTP_LIMITS.UNAUTHENTICATED_WINDOW_BYTES.value);
    expect(opened.remoteSettings.maxConcurrentStreams).toBe(HTTP_LIMITS.UNAUTHENTICATED_STREAMS_MAX.value);
    const stream = opened.request({ ":method": "PUT", ":path": "/things/1", ...GOOD }, { endStream: false });
    stream.end(new Uint8Array(32 * 1024 * 1024));
    let text = "";
    stream.setEncoding("utf8").on("data", (piece) => {
      text += piece;
    });
    await new Promise((resolve) => stream.once("close", resolve));
    expect(text).toBe(String(32 * 1024 * 1024));
    expect(opened.remoteSettings.initialWindowSize).toBe(HTTP_LIMITS.STREAM_WINDOW_BYTES.value);
    expect(opened.remoteSettings.maxConcurrentStreams).toBe(HTTP_LIMITS.STREAMS_MAX.value);
  });
});

describe("requests that come to nothing", () => {
  const burst = HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_BURST.value;

  it("end an HTTP/2 connection above a burst, and others go on", async () => {
    const { url, clock } = await start(guarded);
    const opened = await session(url);
    let code: number | undefined;
    opened.on("goaway", (given) => {
      code = given;
    });
    expect(await statusesOf(opened, burst + 50)).toHaveLength(burst);
    expect(code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(await statusesOf(await session(url), 1, GOOD)).toEqual([200]);
    const slow = await session(url);
    for (let round = 0; round < 10; round++) {
      expect(await statusesOf(slow, 50)).toHaveLength(50);
      await clock.advance(1000);
    }
  });

  it("count even if their head is invalid", async () => {
    const { url } = await start(guarded);
    const opened = await session(url);
    const noHost = { ":authority": "a:99999" };
    expect(await statusesOf(opened, burst + 50, noHost)).toEqual(Array(burst).fill(400));
  });

  it("end an HTTP/1.1 connection above it", async () => {
    const { url } = await start(guarded);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<number> =>
      new Promise((resolve) => {
        httpRequest(`${url}/things/1`, { agent })
          .on("response", (response) => response.resume().once("end", () => resolve(response.statusCode ?? 0)))
          .on("error", () => resolve(0))
          .end();
      });
    const statuses: number[] = [];
    while (statuses.length < burst + 50 && statuses.at(-1) !== 0) statuses.push(await ask());
    agent.destroy();
    expect(statuses).toEqual([...Array(burst).fill(401), 0]);
  });

  it("may be any number where a good key was seen", async () => {
    const { url } = await start(guarded);
    const opened = await session(url);
    expect(await statusesOf(opened, 1, GOOD)).toEqual([200]);
    expect(new Set(await statusesOf(opened, 2000))).toEqual(new Set([401]));
    const other = await session(url);
    expect(await statusesOf(other, 2000, { ...GOOD, ":path": "/things/absent" })).toEqual(Array(2000).fill(404));
  });

  it("are few from one address, but each connection may show a key", async () => {
    const { url } = await start(guarded);
    const perAddress = HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_PER_ADDRESS_BURST.value;
    let answered = 0;
    for (let count = 0; count < perAddress / 100; count++)
      answered += (await statusesOf(await session(url), 100)).length;
    expect(answered).toBe(perAddress);
    expect(await statusesOf(await session(url), 100)).toEqual([401]);
    expect((await rawRequest(url, "/things/1", { headers: GOOD })).status).toBe(200);
    expect(await statusesOf(await session(url), 100, GOOD)).toEqual(Array(100).fill(200));
  });

  it("are not handled if they were reset in the same write", async () => {
    let handled = 0;
    const { url } = await start(async () => {
      handled++;
      return { status: 401 };
    });
    const socket = connectTcp(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {}).resume();
    const frames = [Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, [])];
    for (let index = 0; index < 1000; index++) {
      // GET, http, and a path in the clear; then RST_STREAM with CANCEL.
      frames.push(frame(1, 5, 2 * index + 1, [0x82, 0x86, 0x04, 9, ...Buffer.from("/things/1"), 0x01, 1, 0x61]));
      frames.push(frame(3, 0, 2 * index + 1, [0, 0, 0, 8]));
    }
    socket.write(Buffer.concat(frames));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(handled).toBe(0);
  });
});

function frame(type: number, flags: number, streamId: number, payload: readonly number[]): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}
