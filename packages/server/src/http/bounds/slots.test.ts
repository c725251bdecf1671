import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from "node:http2";
import { connect as connectTcp } from "node:net";
import { KIB, MIB } from "@ashlar/sdk/limits";
import { afterEach, describe, expect, it } from "vitest";
import { createMetrics } from "../../observability/index.ts";
import { createHttpListener, type HttpListener } from "../connection/listener.ts";
import { toFetchHandler } from "../fetch-handler.ts";
import type { HttpHandler } from "../http-handler.ts";
import { trustCaller } from "../request-context.ts";
import { createManualClock, type ManualClock } from "../testing/manual-clock.ts";
import { rawRequest } from "../testing/raw-request.ts";
import { thingsHandlers } from "../testing/things-handlers.ts";
import { HTTP_LIMITS } from "./http-limits.ts";

const HANG_MS = 10_000;
const poll = { timeout: HANG_MS };
const open: HttpListener[] = [];
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

const never = (): Promise<never> => new Promise(() => {});

/** Ways in which a handler may not end by itself. */
const HANDLERS: Readonly<Record<string, HttpHandler>> = {
  "never answers nor looks at its signal": never,
  "gives a body that never has a byte": async () => ({
    status: 200,
    body: { [Symbol.asyncIterator]: () => ({ next: never, return: never }) },
  }),
  "gives a body that stops in the middle": async () => ({
    status: 200,
    body: {
      async *[Symbol.asyncIterator]() {
        yield new Uint8Array(1000);
        await never();
      },
    },
  }),
  "gives a body without end": async () => ({
    status: 200,
    body: {
      async *[Symbol.asyncIterator]() {
        for (;;) yield new Uint8Array(300_000);
      },
    },
  }),
  "gives many bytes at once": async (request) => {
    trustCaller(request);
    return { status: 200, body: new Uint8Array(30_000_000) };
  },
  "reads a body that does not end": async ({ body }) => {
    for await (const _ of body) {
      // wait for more
    }
    return { status: 204 };
  },
};

interface Server {
  readonly url: string;
  readonly clock: ManualClock;
  readonly fetch: (request: Request) => Promise<Response>;
  metric(name: string): Promise<number>;
}

async function start(handler: HttpHandler, requestsInFlightMax = 1024): Promise<Server> {
  const metrics = createMetrics();
  const clock = createManualClock();
  const { handler: whole } = thingsHandlers(handler, { requestsInFlightMax, metrics, clock });
  const listener = createHttpListener({ handler: whole, clock });
  open.push(listener);
  const { url } = await listener.listen();
  return {
    url,
    clock,
    fetch: toFetchHandler(whole),
    async metric(name) {
      const { text } = await metrics.render();
      const line = text.split("\n").find((each) => each.startsWith(`${name} `));
      return Number(line?.split(" ").at(-1));
    },
  };
}

const ORDINARY = 'ashlar_http_slots_taken{pool="ordinary"}';
const UNKNOWN = 'ashlar_http_slots_taken{pool="unknown"}';
const OPEN = 'ashlar_http_slots_taken{pool="open"}';
const LONG_LIVED = 'ashlar_http_slots_taken{pool="long-lived"}';
const RUNNING = "ashlar_http_requests_running";

async function session(url: string, settings: Settings = {}): Promise<ClientHttp2Session> {
  const opened = connect(url, { settings });
  sessions.push(opened);
  opened.on("error", () => {});
  await new Promise((resolve) => opened.once("connect", resolve));
  return opened;
}

function call(on: ClientHttp2Session, headers: Record<string, string>, body?: Uint8Array): ClientHttp2Stream {
  const stream = on.request(headers, { endStream: false });
  stream.on("error", () => {});
  if (body !== undefined) stream.write(body);
  return stream;
}

/** A gRPC frame without a message. */
const EMPTY_MESSAGE = new Uint8Array(5);
const watch = (on: ClientHttp2Session): ClientHttp2Stream => {
  const stream = call(on, {
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Watch",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(EMPTY_MESSAGE);
  return stream;
};

/** The status of a gRPC call: that of its headers if it was refused, `open` once a message came. */
const outcome = (stream: ClientHttp2Stream): Promise<string> =>
  new Promise((resolve) => {
    const told = (headers: Record<string, unknown>): void => {
      if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
    };
    stream.on("response", told);
    stream.on("trailers", told);
    stream.on("data", () => resolve("open"));
  });

describe("a slot", () => {
  const ends = {
    "is reset with CANCEL": (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL),
    "is reset with NO_ERROR": (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_NO_ERROR),
    "loses its connection": (stream: ClientHttp2Stream) => stream.session?.destroy(),
  };
  for (const [does, handler] of Object.entries(HANDLERS)) {
    it.each(Object.entries(ends))(`comes back when a handler ${does} and its HTTP/2 request %s`, async (_, end) => {
      const { url, metric, clock } = await start(handler);
      const opened = await session(url);
      const streams = Array.from({ length: 20 }, () =>
        call(opened, { ":path": "/things/1", ":method": "POST" }, new Uint8Array(10)),
      );
      await expect.poll(() => metric(ORDINARY), poll).toBe(20);
      for (const stream of streams) end(stream);
      await expect
        .poll(async () => {
          await clock.advance(HTTP_LIMITS.ABANDONED_MS.value);
          return [await metric(ORDINARY), await metric(RUNNING)];
        }, poll)
        .toEqual([0, 0]);
    });
    it(`comes back when a handler ${does} and its HTTP/1.1 client goes away`, async () => {
      const { url, metric, clock } = await start(handler);
      const socket = connectTcp(Number(new URL(url).port), "127.0.0.1");
      socket.write("POST /things/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc");
      await expect.poll(() => metric(ORDINARY), poll).toBe(1);
      socket.destroy();
      await expect
        .poll(async () => {
          await clock.advance(HTTP_LIMITS.ABANDONED_MS.value);
          return [await metric(ORDINARY), await metric(RUNNING)];
        }, poll)
        .toEqual([0, 0]);
    });
    it(`comes back when a handler ${does} and its fetch request is aborted`, async () => {
      const { fetch, metric, clock } = await start(handler);
      const abort = new AbortController();
      const body = new ReadableStream({ pull: never });
      const init = { method: "POST", body, signal: abort.signal, duplex: "half" } as RequestInit;
      const answered = fetch(new Request("http://a/things/1", init)).catch(() => undefined);
      await expect.poll(() => metric(RUNNING).then((count) => count >= 0), poll).toBe(true);
      abort.abort();
      await expect
        .poll(async () => {
          await clock.advance(HTTP_LIMITS.ABANDONED_MS.value);
          return [await metric(ORDINARY), await metric(RUNNING)];
        }, poll)
        .toEqual([0, 0]);
      void answered;
    });
  }

  it.each(["GET", "HEAD"])("comes back after a %s whose answer has no body", async (method) => {
    const { url, fetch, metric } = await start(async ({ path }) => ({
      status: path.endsWith("204") ? 204 : 200,
      body: {
        async *[Symbol.asyncIterator]() {
          yield new Uint8Array(10);
        },
      },
    }));
    const path = method === "HEAD" ? "/things/200" : "/things/204";
    const stream = (await session(url)).request({ ":path": path, ":method": method });
    await new Promise((resolve) => stream.on("close", resolve).resume().end());
    expect((await rawRequest(url, path, { method })).body.byteLength).toBe(0);
    expect((await fetch(new Request(`http://a${path}`, { method }))).body).toBe(null);
    await expect.poll(async () => [await metric(ORDINARY), await metric(RUNNING)], poll).toEqual([0, 0]);
  });

  it("is held until the client took the answer, not only until the handler gave it", async () => {
    const { url, metric } = await start(async (request) => {
      trustCaller(request);
      return { status: 200, body: new Uint8Array(8_000_000) };
    });
    const opened = await session(url);
    const stream = opened.request({ ":path": "/things/1" });
    await new Promise((resolve) => stream.once("response", resolve));
    expect(await metric(ORDINARY)).toBe(1);
    stream.resume();
    await expect.poll(() => metric(ORDINARY), poll).toBe(0);
  });
});

describe("calls that stay open", () => {
  it("have few slots per connection and address, and take none of the others", async () => {
    const { url, metric, clock } = await start(async () => ({ status: 204 }), 40);
    const opened = await session(url);
    const first = await Promise.all(Array.from({ length: 20 }, () => outcome(watch(opened))));
    const perConnection = HTTP_LIMITS.LONG_LIVED_CALLS_PER_CONNECTION_MAX.value;
    expect(first.filter((each) => each === "open")).toHaveLength(perConnection);
    expect(first.filter((each) => each === "8")).toHaveLength(20 - perConnection);
    const more = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const other = await session(url);
        return await Promise.all(Array.from({ length: perConnection }, () => outcome(watch(other))));
      }),
    );
    const perAddress = HTTP_LIMITS.LONG_LIVED_CALLS_PER_ADDRESS_MAX.value;
    expect(more.flat().filter((each) => each === "open")).toHaveLength(perAddress - perConnection);
    expect(await metric(LONG_LIVED)).toBe(perAddress);
    expect(await metric(ORDINARY)).toBe(0);
    expect((await rawRequest(url, "/things/1")).status).toBe(204);
    expect((await rawRequest(url, "/readyz")).status).toBe(200);
    for (const each of sessions) each.destroy();
    await expect.poll(() => metric(LONG_LIVED), poll).toBe(0);
    await clock.advance(1000);
  });

  it("end after LONG_LIVED_MAX_MS in order, so that their clients call again", async () => {
    const { url, metric, clock } = await start(async () => ({ status: 204 }));
    const stream = watch(await session(url));
    let status: unknown;
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    stream.resume();
    await expect.poll(() => metric(LONG_LIVED), poll).toBe(1);
    await clock.advance(HTTP_LIMITS.LONG_LIVED_MAX_MS.value + 1000);
    await expect.poll(() => metric(LONG_LIVED), poll).toBe(0);
    expect(status).toBe("0");
  });
});

describe("calls without a key that send no message", () => {
  const check = (on: ClientHttp2Session): ClientHttp2Stream =>
    call(on, {
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });

  it("give way to one that does, and are told so", async () => {
    const { url, metric } = await start(async () => ({ status: 204 }));
    const perConnection = HTTP_LIMITS.OPEN_CALLS_PER_CONNECTION_MAX.value;
    const told: Promise<string>[] = [];
    for (let count = 0; count < 3; count++) {
      const opened = await session(url);
      for (let index = 0; index < perConnection; index++) told.push(outcome(check(opened)));
      await new Promise((resolve) => opened.ping(resolve));
    }
    const probe = check(await session(url));
    const answered = outcome(probe);
    probe.end(EMPTY_MESSAGE);
    expect(await answered).toBe("open");
    expect(await Promise.race(told)).toBe("8");
    expect(await metric(OPEN)).toBeLessThanOrEqual(HTTP_LIMITS.OPEN_CALLS_PER_ADDRESS_MAX.value);
  });
});

describe("requests of a known caller", () => {
  it("that stand still in all its slots keep nobody else out, and end when they are many", async () => {
    const { url, metric, clock } = await start(async (request) => {
      trustCaller(request, { credential: request.header.get("authorization") ?? "" });
      for await (const _ of request.body);
      return { status: 204 };
    }, 64);
    const opened = await session(url);
    const slow = Array.from({ length: 100 }, () =>
      call(opened, { ":path": "/things/1", ":method": "PUT", authorization: "greedy" }, new Uint8Array(10)),
    );
    const statuses: unknown[] = [];
    for (const stream of slow) stream.on("response", (headers) => statuses.push(headers[":status"]));
    await expect.poll(() => statuses.length, poll).toBe(36);
    const get = async (): Promise<number> =>
      (await rawRequest(url, "/things/1", { headers: { authorization: "other" } })).status;
    expect(await get()).toBe(204);
    expect((await rawRequest(url, "/readyz")).status).toBe(200);
    for (let second = 0; second < HTTP_LIMITS.PROGRESS_WINDOW_MS.value / 1000; second++) {
      for (const stream of slow) if (!stream.destroyed) stream.write(new Uint8Array(300));
      await clock.advance(1000);
    }
    await expect.poll(() => metric(ORDINARY), poll).toBeLessThan(48);
    expect(await get()).toBe(204);
    expect(new Set(statuses)).toEqual(new Set([503]));
  });
});

describe("bodies of a known caller", () => {
  it("that stand still hold few bytes, and end when those are many, so that others' are taken", async () => {
    const metrics = createMetrics();
    const clock = createManualClock();
    const collect: HttpHandler = async (request) => {
      trustCaller(request, { credential: request.header.get("authorization") ?? "" });
      const slices: Uint8Array[] = [];
      for await (const slice of request.body) slices.push(slice);
      return { status: 204 };
    };
    const httpRoutes = [{ path: "/bodies/", name: "bodies", handler: collect, heldMaxBytes: 4 * MIB }];
    const options = { metrics, clock, httpRoutes, bytesInFlightMax: 4 * MIB };
    const listener = createHttpListener({ handler: thingsHandlers(never, options).handler, clock });
    open.push(listener);
    const { url } = await listener.listen();
    const { port } = new URL(url);
    const slow = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const socket = connectTcp(Number(port), "127.0.0.1");
        socket.on("error", () => {});
        socket.write("PUT /bodies/1 HTTP/1.1\r\nhost: a\r\nauthorization: greedy\r\ncontent-length: 4194304\r\n\r\n");
        await new Promise((resolve) => socket.write(new Uint8Array(70 * KIB), resolve));
        let text = "";
        socket.on("data", (bytes) => {
          text += bytes.toString("latin1");
        });
        return { socket, answer: () => text };
      }),
    );
    const put = async (): Promise<number> => {
      const body = new Uint8Array(MIB);
      const headers = { authorization: "other", "content-length": String(body.byteLength) };
      return (await rawRequest(url, "/bodies/2", { method: "PUT", headers, body })).status;
    };
    await expect.poll(async () => (await metrics.render()).text.includes('pool="ordinary"} 80'), poll).toBe(true);
    expect(await put()).toBe(204);
    // What came at first is enough for one window.
    await clock.advance(2 * HTTP_LIMITS.PROGRESS_WINDOW_MS.value + 2000);
    await expect.poll(() => slow.filter(({ answer }) => answer().includes("OVERLOADED")).length, poll).toBe(80);
    expect(await put()).toBe(204);
    for (const { socket } of slow) socket.destroy();
  });
});

describe("requests whose caller is not known yet", () => {
  it("from one address leave room for known callers, and count no longer once their caller is known", async () => {
    const perAddress = HTTP_LIMITS.UNKNOWN_REQUESTS_PER_ADDRESS_MAX.value;
    const { url, metric } = await start(async (request) => {
      if (request.header.get("authorization") === "good") trustCaller(request);
      return await never();
    });
    const ask = (on: ClientHttp2Session, count: number, headers: Record<string, string> = {}): ClientHttp2Stream[] =>
      Array.from({ length: count }, () => call(on, { ":path": "/things/1", ...headers }));
    ask(await session(url), 250, { authorization: "good" });
    ask(await session(url), 250, { authorization: "good" });
    await expect.poll(() => metric(ORDINARY), poll).toBe(500);
    for (let count = 0; count < 4; count++) ask(await session(url), perAddress / 4);
    await expect.poll(() => metric(ORDINARY), poll).toBe(500 + perAddress);
    expect((await rawRequest(url, "/things/1")).headers["ashlar-error-code"]).toBe("OVERLOADED");
    expect(await metric('ashlar_http_requests_refused_total{pool="unknown"}')).toBe(1);
  });
});

describe("refused requests whose answers nobody takes", () => {
  const refuse: HttpHandler = async (request) => {
    if (request.header.get("authorization") !== "good") return { status: 401, body: new Uint8Array(300) };
    trustCaller(request);
    return { status: 204 };
  };

  it("hold no slot: a caller with a good key is served meanwhile, on a connection of its own", async () => {
    const { url, metric } = await start(refuse);
    const untaken = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const opened = await session(url, { initialWindowSize: 0 });
        return await Promise.all(
          Array.from({ length: 80 }, async () => {
            const stream = call(opened, { ":path": "/things/1" });
            return await new Promise((resolve) => {
              stream.once("response", (headers) => resolve(headers[":status"]));
              stream.once("close", () => resolve("closed"));
            });
          }),
        );
      }),
    );
    expect(new Set(untaken.flat())).toEqual(new Set([401]));
    expect(await metric(UNKNOWN)).toBe(0);
    expect(await metric(ORDINARY)).toBe(0);
    expect((await rawRequest(url, "/things/1", { headers: { authorization: "good" } })).status).toBe(204);
    expect((await rawRequest(url, "/readyz")).status).toBe(200);
  });
});

describe("probes", () => {
  it("say that a server is not ready while every slot for unchecked keys is taken", async () => {
    const { url, fetch } = await start(never, 4096);
    const abort = new AbortController();
    const { signal } = abort;
    // A caller whose address is not known has no share of an address.
    for (let index = 0; index < HTTP_LIMITS.UNKNOWN_REQUESTS_MAX.value; index++) {
      void fetch(new Request("http://a/things/1", { signal })).catch(() => undefined);
    }
    expect((await rawRequest(url, "/readyz")).json()).toMatchObject({ checks: { requests: "overloaded" } });
    expect((await rawRequest(url, "/healthz")).status).toBe(200);
    abort.abort();
  });

  it("say that a server is not ready while it refuses everybody, and not alive when that does not end", async () => {
    const { url, clock } = await start(never, 3);
    // One connection has three at most; the fourth is left for others.
    const [opened, other] = [await session(url), await session(url)];
    const streams = [opened, opened, opened, other].map((each) => call(each, { ":path": "/things/1" }));
    const probe = async (path: string): Promise<number> => (await rawRequest(url, path)).status;
    await expect.poll(() => probe("/readyz"), poll).toBe(503);
    expect((await rawRequest(url, "/readyz")).json()).toMatchObject({ checks: { requests: "overloaded" } });
    expect(await probe("/healthz")).toBe(200);
    await clock.advance(HTTP_LIMITS.STUCK_MS.value);
    expect(await probe("/healthz")).toBe(503);
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    await expect
      .poll(async () => {
        await clock.advance(HTTP_LIMITS.ABANDONED_MS.value);
        return [await probe("/readyz"), await probe("/healthz")];
      }, poll)
      .toEqual([200, 200]);
  });
});
