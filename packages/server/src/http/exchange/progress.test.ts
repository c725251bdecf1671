import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterEach, describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { createHttpListener, type HttpListener, type HttpListenerOptions } from "../connection/listener.ts";
import type { HttpHandler } from "../http-handler.ts";
import { createManualClock, type ManualClock } from "../testing/manual-clock.ts";
import { createPaceKeeper } from "./pace.ts";

const poll = { timeout: 10_000 };
const open: HttpListener[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

async function listen(handler: HttpHandler, options: Partial<HttpListenerOptions> = {}) {
  const clock = createManualClock();
  const listener = createHttpListener({ handler, clock, ...options });
  open.push(listener);
  return { clock, ...(await listener.listen()) };
}

interface Dialed {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isClosed: () => boolean;
}

function dial(port: number): Dialed {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let [received, closed] = ["", false];
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  return { socket, received: () => received, isClosed: () => closed };
}

/** Lets time go on second by second while the client does something each second; real time passes too, so that bytes arrive. */
async function seconds(clock: ManualClock, count: number, each: () => void = () => {}): Promise<void> {
  for (let second = 0; second < count; second++) {
    each();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(1000);
  }
}

/** Records how far a body came, and what ended it. */
function reader(): { handler: HttpHandler; ended: string[]; receivedBytes: () => number } {
  const ended: string[] = [];
  let receivedBytes = 0;
  const handler: HttpHandler = async (request) => {
    if (request.path === "/known") request.exchange?.trust(() => 0);
    if (request.path === "/crowded") request.exchange?.trust(() => 1);
    if (request.path === "/half") request.exchange?.trust(() => 0.5);
    try {
      for await (const piece of request.body) receivedBytes += piece.byteLength;
      ended.push("whole");
    } catch (error) {
      ended.push(AshlarError.from(error).code);
    }
    return { status: 200 };
  };
  return { handler, ended, receivedBytes: () => receivedBytes };
}

describe("a pace", () => {
  it("counts only the time in which the server waits", async () => {
    const clock = createManualClock();
    const keeper = createPaceKeeper(clock);
    let slow = 0;
    const pace = keeper.start(
      () => ({ windowMs: 30_000, minBytesPerSecond: 256 }),
      () => slow++,
    );
    for (let turn = 0; turn < 100; turn++) {
      pace.begin();
      await clock.advance(100);
      pace.end(1);
      // The server is busy: a minute in which nobody can blame the client.
      await clock.advance(60_000);
      keeper.check();
    }
    expect(slow).toBe(0);
    pace.begin();
    await clock.advance(21_000);
    keeper.check();
    expect(slow).toBe(1);
  });
});

describe("a request's body", () => {
  const upload = (path: string): string => `PUT ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n`;

  it.each([
    ["/unknown", HTTP_LIMITS.PROGRESS_WINDOW_MS.value / 1000, 1, "CANCELED"],
    ["/half", HTTP_LIMITS.PROGRESS_WINDOW_MS.value / 1000, 1, "OVERLOADED"],
    ["/crowded", HTTP_LIMITS.CROWDED_WINDOW_MS.value / 1000, 2048, "OVERLOADED"],
    ["/known", HTTP_LIMITS.IDLE_TIMEOUT_MS.value / 1000, 1, "CANCELED"],
  ])("that trickles ends after its window: %s", async (path, windowSeconds, sliceBytes, code) => {
    const { handler, ended, receivedBytes } = reader();
    const { clock, port } = await listen(handler);
    const client = dial(port);
    client.socket.write(upload(path));
    client.socket.write("x");
    await expect.poll(receivedBytes, poll).toBe(1);
    const send = (): void => void client.socket.write(new Uint8Array(sliceBytes));
    await seconds(clock, windowSeconds - 2, send);
    expect(ended).toEqual([]);
    await seconds(clock, 4, send);
    await expect.poll(() => ended, poll).toEqual([code]);
    await expect.poll(client.isClosed, poll).toBe(true);
  });

  it("at the speed of a bad phone network passes, whatever its length", async () => {
    const { handler, ended, receivedBytes } = reader();
    const { clock, port } = await listen(handler);
    const client = dial(port);
    client.socket.write(upload("/unknown"));
    await seconds(clock, 300, () => client.socket.write(new Uint8Array(2048)));
    await expect.poll(receivedBytes, poll).toBe(300 * 2048);
    expect(ended).toEqual([]);
  });

  it("over HTTP/2 is held to the same, and other streams go on", async () => {
    const { handler, ended } = reader();
    const { clock, url } = await listen(handler);
    const session = connectHttp2(url);
    session.on("error", () => {});
    const slow = session.request({ ":path": "/unknown", ":method": "PUT" });
    slow.on("error", () => {});
    await seconds(clock, 35, () => slow.write("x"));
    await expect.poll(() => ended, poll).toEqual(["CANCELED"]);
    const other = session.request({ ":path": "/known", ":method": "PUT" });
    const status = new Promise((resolve) => other.once("response", (head) => resolve(head[":status"])));
    other.end("abc");
    expect(await status).toBe(200);
    session.destroy();
  });
});

describe("an answer", () => {
  const endless: HttpHandler = async () => ({
    status: 200,
    body: {
      async *[Symbol.asyncIterator]() {
        for (;;) yield new Uint8Array(100_000);
      },
    },
  });

  it("that nobody takes is cut off, over both protocols", async () => {
    const { clock, port, url } = await listen(endless);
    const http1 = dial(port);
    http1.socket.pause();
    http1.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const session = connectHttp2(url);
    session.on("error", () => {});
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    let reset: number | undefined;
    stream.on("close", () => {
      reset = stream.rstCode;
    });
    await new Promise((resolve) => stream.once("response", resolve));
    // Until all buffers below are full, the server waits for nobody.
    const windowSeconds = HTTP_LIMITS.PROGRESS_WINDOW_MS.value / 1000;
    await expect.poll(() => seconds(clock, windowSeconds).then(() => reset), poll).toBe(2);
    await seconds(clock, 2 * windowSeconds);
    http1.socket.resume();
    await expect.poll(http1.isClosed, poll).toBe(true);
    session.destroy();
  });

  it("over HTTP/2 of which one byte is taken every few seconds is cut off too", async () => {
    const { clock, url } = await listen(endless);
    const session = connectHttp2(url, { settings: { initialWindowSize: 1 } });
    session.on("error", () => {});
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    let closed = false;
    stream.on("close", () => {
      closed = true;
    });
    stream.resume();
    await seconds(clock, 40);
    await expect.poll(() => closed, poll).toBe(true);
    session.destroy();
  });
});

describe("a connection", () => {
  it("without a request ends, whatever trickles on it", async () => {
    const { clock, port, url } = await listen(async () => ({ status: 204 }), { headersTimeoutMs: 3_600_000 });
    const http1 = dial(port);
    http1.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const session = connectHttp2(url);
    let closed = false;
    session.on("error", () => {});
    session.on("close", () => {
      closed = true;
    });
    await new Promise((resolve) => session.once("connect", resolve));
    await seconds(clock, HTTP_LIMITS.IDLE_TIMEOUT_MS.value / 1000 + 2, () => {
      if (!http1.socket.destroyed) http1.socket.write("\r\n");
      if (!session.closed && !session.destroyed) session.ping(() => {});
    });
    await expect.poll(http1.isClosed, poll).toBe(true);
    await expect.poll(() => closed, poll).toBe(true);
  });

  it("on which an HTTP/2 stream is open ends when no byte moves", async () => {
    const { url } = await listen(() => new Promise(() => {}), { idleTimeoutMs: 300 });
    const session = connectHttp2(url);
    session.on("error", () => {});
    const stream = session.request({ ":path": "/", ":method": "PUT" });
    stream.on("error", () => {});
    stream.write("abc");
    await new Promise((resolve) => session.once("close", resolve));
  });

  it("whose HTTP/2 header block or preface stays half ends after HEADERS_TIMEOUT_MS", async () => {
    const { clock, port } = await listen(async () => ({ status: 204 }));
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const settings = Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
    // HEADERS of stream 1 without END_HEADERS; `:method: GET` of the static table.
    const half = Uint8Array.of(0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82);
    const silent = dial(port);
    silent.socket.write(preface);
    const trickling = dial(port);
    trickling.socket.write(preface);
    trickling.socket.write(settings);
    trickling.socket.write(half);
    // A CONTINUATION of 10,000 bytes, of which one comes each second.
    trickling.socket.write(Uint8Array.of(0, 0x27, 0x10, 9, 0, 0, 0, 0, 1));
    await expect.poll(() => trickling.received().length, poll).toBeGreaterThan(0);
    await seconds(clock, HTTP_LIMITS.HEADERS_TIMEOUT_MS.value / 1000 - 3, () =>
      trickling.socket.write(Uint8Array.of(0x82)),
    );
    expect([silent.isClosed(), trickling.isClosed()]).toEqual([false, false]);
    await seconds(clock, 6, () => {
      if (!trickling.socket.destroyed) trickling.socket.write(Uint8Array.of(0x82));
    });
    await expect.poll(() => [silent.isClosed(), trickling.isClosed()], poll).toEqual([true, true]);
  });

  it("that floods PINGs ends, and one more than an address may have is refused", async () => {
    const { port } = await listen(async () => ({ status: 204 }), { connectionsPerAddressMax: 2 });
    const flood = dial(port);
    flood.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    flood.socket.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
    const ping = Uint8Array.of(0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8);
    for (let turn = 0; turn < 2000; turn++) flood.socket.write(ping);
    await expect.poll(flood.isClosed, poll).toBe(true);
    const [first, second] = [dial(port), dial(port)];
    await Promise.all([first, second].map(({ socket }) => new Promise((resolve) => socket.once("connect", resolve))));
    const third = dial(port);
    await expect.poll(third.isClosed, poll).toBe(true);
    expect([first.isClosed(), second.isClosed()]).toEqual([false, false]);
  });
});
