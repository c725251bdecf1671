import { connect } from "node:http2";
import type { LogFields, Logger } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HttpHandler } from "../http-handler.ts";
import { rawTalk } from "../testing/raw-talk.ts";
import { createHttpListener, type HttpListener } from "./listener.ts";

const loud: string[] = [];
const note = (_fields: LogFields, message: string): void => void loud.push(message);
const logger: Logger = { debug: () => {}, info: note, warn: note, error: note, child: () => logger };

/** Answers with the URL that it was given, and the length of the body. */
const mirror: HttpHandler = async ({ url, body }) => {
  let receivedBytes = 0;
  for await (const piece of body) receivedBytes += piece.byteLength;
  return { status: 200, body: new TextEncoder().encode(`${new URL(url).href} ${receivedBytes}`) };
};

let listener: HttpListener;
let port = 0;
let url = "";

beforeAll(async () => {
  listener = createHttpListener({ handler: mirror, logger });
  ({ port, url } = await listener.listen());
});

afterAll(async () => {
  await listener.close({ graceMs: 0 });
  expect(loud).toEqual([]);
});

const talk = (...pieces: readonly string[]): ReturnType<typeof rawTalk> => rawTalk(port, pieces);
const withHost = (host: string): string => `GET /a HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

describe("a header that has one value", () => {
  it.each(["authorization", "content-type", "expires", "if-modified-since", "if-unmodified-since"])(
    "%s is refused where it comes twice, whichever of the two a server would take",
    async (name) => {
      const request = `GET /a HTTP/1.1\r\nhost: a\r\n${name}: x\r\n${name.toUpperCase()}: y\r\nconnection: close\r\n\r\n`;
      const { statuses, text } = await talk(request);
      expect(statuses).toEqual([400]);
      expect(text).toContain(`more than one header ${name}`);
    },
  );
});

describe("a transfer coding", () => {
  it.each(["gzip, chunked", "identity, chunked"])("%s is not taken for the content itself", async (coding) => {
    const request = `PUT /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: ${coding}\r\nconnection: close\r\n\r\n0\r\n\r\n`;
    expect((await talk(request)).statuses).toEqual([501]);
  });

  it.each(["chunked", "Chunked"])("may be %s", async (coding) => {
    const request = `PUT /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: ${coding}\r\nconnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n`;
    expect((await talk(request)).statuses).toEqual([200]);
  });
});

describe("a host", () => {
  it.each([
    ["a name", "files.example"],
    ["a port", "files.example:8080"],
    ["the largest port", "a:65535"],
    ["an empty port", "a:"],
    ["an IPv4 address", "127.0.0.1:9000"],
    ["an IPv6 address", "[::1]:9000"],
    ["nothing, which HTTP allows", ""],
  ])("may be %s", async (_, host) => {
    expect((await talk(withHost(host))).statuses).toEqual([200]);
  });

  it.each([
    ["a port out of range", "a:99999"],
    ["a port that is no number", "a:b"],
    ["two ports", "a:1:2"],
    ["a user", "user:password@a"],
    ["a path", "a/b"],
    ["a space", "a b"],
    ["an invalid IPv4 address", "1.2.3.999"],
    ["an invalid IPv6 address", "[::zz]"],
    ["an open bracket", "[::1"],
    ["a list", "a, b"],
    ["a query", "a?b"],
    ["a bad escape", "%zz"],
  ])("may not be %s", async (_, host) => {
    const { text, statuses, closed } = await talk(withHost(host));
    expect([statuses, closed]).toEqual([[400], true]);
    expect(text).toContain('"code":"INVALID_ARGUMENT"');
  });

  it("may not be missing or named twice, whatever the case of the header", async () => {
    expect((await talk("GET /a HTTP/1.1\r\n\r\n")).statuses).toEqual([400]);
    expect((await talk("GET /a HTTP/1.1\r\nhost: a\r\nHOST: a\r\n\r\n")).statuses).toEqual([400]);
    expect((await talk("GET /a HTTP/1.0\r\n\r\n")).statuses).toEqual([200]);
  });

  it("of an absolute target wins over the header, and is checked as well", async () => {
    const ask = (target: string): Promise<{ text: string; statuses: readonly number[] }> =>
      talk(`GET ${target} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n`);
    expect((await ask("http://a:81/x?y")).text).toContain("http://a:81/x?y 0");
    expect((await ask("HTTP://a?y")).text).toContain("http://a/?y 0");
    for (const target of ["http://a:99999/", "http:///x", "http://u:p@a/", "ftp://a/x"]) {
      expect((await ask(target)).statuses, target).toEqual([400]);
    }
  });

  it("is checked in HTTP/2 too", async () => {
    const session = connect(url);
    session.on("error", () => {});
    const ask = (headers: Record<string, string>): Promise<unknown> =>
      new Promise((resolve) => {
        const stream = session.request({ ":path": "/a", ...headers });
        stream.on("response", (head) => resolve(head[":status"]));
        stream.on("error", () => resolve("reset"));
        stream.resume();
      });
    expect(await ask({ ":authority": "a:8080" })).toBe(200);
    expect(await ask({ ":authority": "a:99999" })).toBe(400);
    expect(await ask({ ":authority": "1.2.3.999" })).toBe(400);
    expect(await ask({ ":authority": "a", host: "b" })).toBe(400);
    expect(await ask({ ":authority": "a", host: "a" })).toBe(200);
    session.destroy();
  });
});

describe("bytes that are no request", () => {
  it.each([
    ["HTTP/0.9", "GET /a\r\n\r\n", 400],
    ["a word", "hello\r\n\r\n", 400],
    ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["a version that nobody speaks", "GET /a HTTP/7.3\r\nhost: a\r\n\r\n", 400],
    ["a target without a slash", "GET a HTTP/1.1\r\nhost: a\r\n\r\n", 400],
    ["a header without a colon", "GET /a HTTP/1.1\r\nhost: a\r\nnonsense\r\n\r\n", 400],
    ["two lengths", "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400],
    ["a negative length", "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400],
    [
      "a length and chunks",
      "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      400,
    ],
    ["a tunnel", "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", 405],
  ])("are answered and the connection closed: %s", async (_, text, status) => {
    const answer = await talk(text);
    expect([answer.statuses, answer.closed]).toEqual([[status], true]);
    expect(answer.text).toContain("application/problem+json");
    expect(answer.text).toMatch(/ashlar-request-id: \w+/);
  });

  it("are told apart from the request before them, which is answered first", async () => {
    const { statuses, text } = await talk("GET /first HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n");
    expect(statuses).toEqual([200, 400]);
    expect(text.indexOf("/first")).toBeLessThan(text.indexOf("INVALID_ARGUMENT"));
  });

  it("are told apart from the request before them where they ask for a tunnel", async () => {
    const put = "PUT /first HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    const { statuses, text, closed } = await talk(`${put}${put}CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n`);
    expect([statuses, closed]).toEqual([[200, 200, 405], true]);
    expect(text.lastIndexOf("/first 3")).toBeLessThan(text.indexOf("UNSUPPORTED"));
  });

  it("leave the answer before them whole, even if the client takes it slowly", async () => {
    const bytes = new Uint8Array(32 * 1024 * 1024).fill(120);
    const large = createHttpListener({ handler: async () => ({ status: 200, body: bytes }) });
    const address = await large.listen();
    const get = "GET /large HTTP/1.1\r\nhost: a\r\n\r\n";
    const { statuses, text } = await rawTalk(address.port, [`${get}CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n`]);
    expect(statuses).toEqual([200, 405]);
    expect(text.length).toBeGreaterThan(bytes.byteLength);
    await large.close({ graceMs: 0 });
  });
});

describe("a request for an upgrade", () => {
  const head = "host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n";

  it("is answered without one, and the connection closes after it: the parser loses what came with it", async () => {
    const behind = "PUT /behind HTTP/1.1\r\nhost: a\r\ncontent-length: 45\r\n\r\n";
    const body = "DELETE /victim HTTP/1.1\r\nhost: a\r\n\r\n12345678";
    const { statuses, text, closed } = await talk(`GET /first HTTP/1.1\r\n${head}\r\n${behind}`, body);
    expect([statuses, closed]).toEqual([[200], true]);
    expect(text).not.toContain("victim");
  });

  it("is answered with its whole body", async () => {
    const { statuses, text, closed } = await talk(`PUT /first HTTP/1.1\r\n${head}content-length: 3\r\n\r\nab`, "c");
    expect([statuses, closed]).toEqual([[200], true]);
    expect(text).toContain("/first 3");
  });
});

describe("pipelined requests", () => {
  it("are answered in order, one at a time, and the connection closes after too many", async () => {
    const order: string[] = [];
    let running = 0;
    let most = 0;
    const slow = createHttpListener({
      handler: async ({ path, body }) => {
        most = Math.max(most, ++running);
        for await (const _ of body) {
          // take it
        }
        await new Promise((resolve) => setTimeout(resolve, order.length === 0 ? 50 : 0));
        order.push(path);
        running--;
        return { status: 204 };
      },
    });
    const address = await slow.listen();
    const requests = Array.from({ length: 200 }, (_, index) => {
      const body = index % 3 === 0 ? "abc" : "";
      return `PUT /${index} HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    });
    const few = await rawTalk(address.port, [requests.slice(0, 20).join("")], { waitMs: 1500 });
    expect(few.statuses).toEqual(Array(20).fill(204));
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => `/${index}`));
    expect(most).toBe(1);
    order.length = 0;
    const many = await rawTalk(address.port, [requests.join("")]);
    expect(many.closed).toBe(true);
    expect(many.statuses).toHaveLength(order.length);
    expect(order).toEqual(Array.from({ length: order.length }, (_, index) => `/${index}`));
    expect(order.length).toBeGreaterThanOrEqual(32);
    expect(order.length).toBeLessThan(200);
    await slow.close({ graceMs: 0 });
  });
});
