import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { HttpHandler } from "../http-handler.ts";
import { trustCaller } from "../request-context.ts";
import { rawRequest } from "../testing/raw-request.ts";
import { createHttpListener, type HttpListener, type HttpListenerOptions } from "./listener.ts";

const open: HttpListener[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Answers with what it saw of the request. */
const mirror: HttpHandler = async ({ method, path, query, httpVersion, header }) => ({
  status: 200,
  header: new Headers({ "content-type": "text/plain" }),
  body: text([method, path, query, httpVersion, header.get("x-test") ?? ""].join("|")),
});

async function listen(handler: HttpHandler, options: Partial<HttpListenerOptions> = {}) {
  const listener = createHttpListener({ handler, ...options });
  open.push(listener);
  const address = await listener.listen();
  return { ...address, listener };
}

/** A raw connection and everything that comes back on it. */
function dial(port: number): { socket: Socket; received: () => string; closed: Promise<void> } {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, received: () => received, closed };
}

interface H2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function h2(session: ClientHttp2Session, path: string, headers: Record<string, string> = {}, body?: Uint8Array) {
  return new Promise<H2Answer>((resolve, reject) => {
    const stream = session.request({ ":path": path, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    let answer: IncomingHttpHeaders = {};
    let received = "";
    stream.on("response", (head) => {
      answer = head;
    });
    stream.on("data", (bytes) => {
      received += bytes;
    });
    stream.on("error", reject);
    stream.on("end", () => resolve({ status: Number(answer[":status"]), headers: answer, body: received }));
  });
}

async function session(url: string, options: Parameters<typeof connectHttp2>[1] = {}): Promise<ClientHttp2Session> {
  const opened = connectHttp2(url, options);
  await new Promise((resolve, reject) => opened.once("connect", resolve).once("error", reject));
  return opened;
}

describe("one cleartext port", () => {
  it("speaks HTTP/1.1 and HTTP/2", async () => {
    const { url } = await listen(mirror);
    expect((await rawRequest(url, "/a?b=c", { headers: { "x-test": "1" } })).text).toBe("GET|/a|b=c|1.1|1");
    const opened = await session(url);
    expect((await h2(opened, "/a?b=c", { "x-test": "2" })).body).toBe("GET|/a|b=c|2.0|2");
    opened.close();
  });

  it("knows the protocol however the first bytes are cut", async () => {
    const { url, port } = await listen(mirror);
    const slow = dial(port);
    for (const piece of ["G", "E", "T /x HTTP/1.1\r\nho", "st: a\r\n\r\n"]) {
      slow.socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await expect.poll(slow.received).toContain("GET|/x||1.1|");
    slow.socket.destroy();

    // A whole HTTP/2 conversation whose client bytes arrive one by one at first.
    const byteByByte = connect(port, "127.0.0.1");
    byteByByte.setNoDelay(true);
    const write = byteByByte.write.bind(byteByByte);
    let first = true;
    byteByByte.write = ((data: Uint8Array, ...rest: never[]) => {
      if (!first || typeof data === "string") return (write as (...args: unknown[]) => boolean)(data, ...rest);
      first = false;
      for (const byte of data.subarray(0, data.byteLength - 1)) write(Uint8Array.of(byte));
      return (write as (...args: unknown[]) => boolean)(data.subarray(-1), ...rest);
    }) as typeof byteByByte.write;
    const opened = connectHttp2(url, { createConnection: () => byteByByte });
    expect((await h2(opened, "/y")).body).toBe("GET|/y||2.0|");
    opened.close();
  });

  it("keeps the path as it was sent", async () => {
    const { url } = await listen(mirror);
    for (const path of ["/a/../b", "//c", "/d/./e", "/%2e%2e/f", "/g%2Fh"]) {
      expect((await rawRequest(url, path)).text).toBe(`GET|${path}||1.1|`);
    }
    expect((await rawRequest(url, "http://elsewhere.example/a/b?q=1")).text).toBe("GET|/a/b|q=1|1.1|");
  });

  it("carries large bodies both ways with backpressure, over both protocols", async () => {
    const echo: HttpHandler = async ({ body }) => ({ status: 200, body });
    const { url } = await listen(echo);
    const bytes = new Uint8Array(9_000_000).map((_, index) => index * 7);
    const http1 = await rawRequest(url, "/", { method: "PUT", body: bytes });
    expect(Buffer.compare(http1.body, bytes)).toBe(0);
    const opened = await session(url);
    const stream = opened.request({ ":path": "/", ":method": "PUT" });
    stream.end(bytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of stream) pieces.push(piece);
    expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0);
    opened.close();
  });

  it("announces windows that a fast link can fill", async () => {
    const { url } = await listen(async (request) => {
      trustCaller(request);
      return await mirror(request);
    });
    const opened = await session(url);
    await h2(opened, "/");
    await expect.poll(() => opened.remoteSettings.initialWindowSize).toBe(2 * 1024 * 1024);
    expect(opened.remoteSettings.maxConcurrentStreams).toBe(256);
    await expect.poll(() => opened.state.remoteWindowSize).toBeGreaterThan(8 * 1024 * 1024);
    opened.close();
  });
});

describe("an answer before the end of the request", () => {
  const refuse: HttpHandler = async () => ({ status: 413, body: text("too large") });

  it("reaches an HTTP/1.1 client that goes on sending, and the connection stays usable for a small rest", async () => {
    const { url, port } = await listen(refuse);
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(100_000);
    }
    for (let round = 0; round < 20; round++) {
      const answer = await rawRequest(url, "/", { method: "PUT", body: endless() });
      expect([answer.status, answer.text]).toEqual([413, "too large"]);
    }
    const reused = dial(port);
    reused.socket.write("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd");
    reused.socket.write("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd");
    await expect.poll(() => reused.received().match(/413/g)?.length).toBe(2);
    reused.socket.destroy();
  });

  it("reaches an HTTP/2 client, whose other streams live on", async () => {
    const { url } = await listen(async ({ path, body }) => {
      if (path === "/refuse") return { status: 413, body: text("too large") };
      let receivedBytes = 0;
      for await (const piece of body) receivedBytes += piece.byteLength;
      return { status: 200, body: text(String(receivedBytes)) };
    });
    const opened = await session(url);
    const stream = opened.request({ ":path": "/refuse", ":method": "PUT" });
    stream.on("error", () => {});
    const status = new Promise((resolve) => stream.once("response", (head) => resolve(head[":status"])));
    stream.write(new Uint8Array(10_000_000));
    expect(await status).toBe(413);
    const other = await h2(opened, "/take", { ":method": "PUT" }, new Uint8Array(5_000_000));
    expect(other.body).toBe("5000000");
    opened.destroy();
  });

  it("cuts off a client that does not stop sending", async () => {
    const { port } = await listen(refuse);
    const stubborn = dial(port);
    stubborn.socket.write("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n");
    const timer = setInterval(() => stubborn.socket.write(new Uint8Array(1000)), 50);
    await stubborn.closed;
    clearInterval(timer);
    expect(stubborn.received()).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe("a handler that fails", () => {
  it("before the first byte is answered 500, after it the connection is cut", async () => {
    const { url } = await listen(async ({ path }) => {
      if (path === "/early") throw new Error("no");
      return {
        status: 200,
        header: new Headers({ "content-length": "1000" }),
        body: (async function* () {
          yield text("begun");
          throw new Error("no more");
        })(),
      };
    });
    expect((await rawRequest(url, "/early")).status).toBe(500);
    await expect(rawRequest(url, "/late")).rejects.toThrow();
    const opened = await session(url);
    await expect(h2(opened, "/late")).rejects.toThrow();
    opened.close();
  });

  it("learns that its client went away, in the signal, the body and the answer", async () => {
    const seen: string[] = [];
    let begun = false;
    const { port } = await listen(async ({ body, signal }) => {
      begun = true;
      signal.addEventListener("abort", () => seen.push("signal"));
      try {
        for await (const _ of body) {
          // wait for more
        }
      } catch (error) {
        seen.push((error as { code: string }).code);
      }
      return {
        status: 200,
        body: {
          [Symbol.asyncIterator]: () => ({
            next: async () => ({ done: false, value: text("x") }),
            return: async () => {
              seen.push("returned");
              return { done: true, value: undefined };
            },
          }),
        },
      };
    });
    const client = dial(port);
    client.socket.write("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc");
    await expect.poll(() => begun).toBe(true);
    client.socket.destroy();
    await expect.poll(() => [...seen].sort()).toEqual(["CANCELED", "returned", "signal"]);
  });
});

describe("limits", () => {
  it("cut off a client that shows no protocol, or its headers too slowly", async () => {
    const { port } = await listen(mirror, { headersTimeoutMs: 300 });
    const silent = dial(port);
    await silent.closed;
    const slow = dial(port);
    slow.socket.write("GET / HTTP/1.1\r\n");
    const timer = setInterval(() => slow.socket.write("x"), 100);
    await slow.closed;
    clearInterval(timer);
    expect(slow.received()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("close a connection on which nothing moves, mid-body too", async () => {
    const { port } = await listen(
      async ({ body }) => {
        for await (const _ of body) {
          // wait for more
        }
        return { status: 200 };
      },
      { idleTimeoutMs: 300 },
    );
    const stalled = dial(port);
    stalled.socket.write("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc");
    await stalled.closed;
    expect(stalled.received()).toBe("");
  });

  it("refuse headers over the limit on both protocols", async () => {
    const { url, port } = await listen(mirror, { maxHeaderBytes: 8192 });
    const big = dial(port);
    big.socket.write(`GET / HTTP/1.1\r\nhost: a\r\nx-test: ${"y".repeat(10_000)}\r\n\r\n`);
    await expect.poll(big.received).toMatch(/^HTTP\/1\.1 431 /);
    const opened = await session(url);
    expect((await h2(opened, "/", { "x-test": "y".repeat(10_000) })).status).toBe(431);
    expect((await h2(opened, "/", { "x-test": "y".repeat(1000) })).status).toBe(200);
    opened.close();
  });
});

describe("close", () => {
  it("lets a running request finish on both protocols and refuses new connections", async () => {
    let begun = 0;
    const { url, port, listener } = await listen(async ({ path }) => {
      begun++;
      await new Promise((resolve) => setTimeout(resolve, path === "/slow" ? 300 : 0));
      return { status: 200, body: text("done") };
    });
    const opened = await session(url);
    const goaway = new Promise((resolve) => opened.once("goaway", resolve));
    const running = [rawRequest(url, "/slow"), h2(opened, "/slow")];
    await expect.poll(() => begun).toBe(2);
    const closed = listener.close({ graceMs: 5000 });
    await expect(rawRequest(url, "/new")).rejects.toThrow();
    await goaway;
    const [http1, http2] = await Promise.all(running);
    expect(http1).toMatchObject({ status: 200, headers: { connection: "close" } });
    expect(http2).toMatchObject({ status: 200, body: "done" });
    await closed;
    await expect(dial(port).closed).resolves.toBeUndefined();
  });

  it("cuts what does not finish in time, and idle connections at once", async () => {
    let begun = false;
    const { port, listener } = await listen(() => {
      begun = true;
      return new Promise(() => {});
    });
    const idle = dial(port);
    const stuck = dial(port);
    stuck.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await expect.poll(() => begun).toBe(true);
    const startedMs = performance.now();
    await listener.close({ graceMs: 200 });
    await Promise.all([idle.closed, stuck.closed]);
    expect(performance.now() - startedMs).toBeGreaterThan(150);
    await listener.close();
  });

  it("says INVALID_ARGUMENT for an address in use", async () => {
    const { port } = await listen(mirror);
    const second = createHttpListener({ handler: mirror, port });
    await expect(second.listen()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await second.close();
  });
});

describe("with a certificate", () => {
  it("ALPN picks HTTP/2 or HTTP/1.1 on one port", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ashlar-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
    const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert) };
    rmSync(folder, { recursive: true });
    const { url, port } = await listen(mirror, { tls });
    expect(url).toMatch(/^https:/);
    const opened = await session(url, { ca: tls.cert });
    expect((await h2(opened, "/two")).body).toBe("GET|/two||2.0|");
    opened.close();
    const http1 = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest({ host: "127.0.0.1", port, path: "/one", ca: tls.cert }, (response) => {
        response.setEncoding("utf8").on("data", resolve);
      });
      request.on("error", reject).end();
    });
    expect(http1).toBe("GET|/one||1.1|");
  });
});
