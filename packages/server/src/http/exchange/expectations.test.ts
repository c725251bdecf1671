import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createMetrics } from "../../observability/index.ts";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { createHttpListener, type HttpListener } from "../connection/listener.ts";
import { createManualClock } from "../testing/manual-clock.ts";
import { rawTalk } from "../testing/raw-talk.ts";
import { thingsHandlers } from "../testing/things-handlers.ts";

const metrics = createMetrics();
let handled = 0;
let listener: HttpListener;
let port = 0;
let url = "";

beforeAll(async () => {
  const clock = createManualClock();
  const { handler } = thingsHandlers(
    async ({ body }) => {
      handled++;
      for await (const _ of body) {
        // take it
      }
      return { status: 204 };
    },
    { clock, metrics, cors: { allowedOrigins: ["https://app.example"] } },
  );
  listener = createHttpListener({ handler, clock });
  ({ port, url } = await listener.listen());
});

afterEach(() => {
  handled = 0;
});

afterAll(() => listener.close({ graceMs: 0 }));

const http1 = (fields: string, rest = ""): string => `PUT /things/1 HTTP/1.1\r\nexpect: much\r\n${fields}\r\n${rest}`;

const counted = async (): Promise<number> => {
  const lines = (await metrics.render()).text.split("\n");
  return lines
    .filter((line) => /^ashlar_http_requests_total\{.*status="417"/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
};

/** The head of the answer to one HTTP/2 request. */
function http2(headers: OutgoingHttpHeaders, endStream = false): Promise<IncomingHttpHeaders> {
  const session = connect(url, { maxSendHeaderBlockLength: 100_000 });
  return new Promise<IncomingHttpHeaders>((resolve, reject) => {
    const stream = session.request(headers, { endStream });
    stream.on("response", resolve).on("error", reject).resume();
  }).finally(() => session.destroy());
}

describe("an unknown expectation", () => {
  it("is refused with 417 like any other refusal, over HTTP/1.1", async () => {
    const before = await counted();
    const request = http1("host: a\r\norigin: https://app.example\r\nashlar-request-id: mine\r\nconnection: close\r\n");
    const { statuses, text, closed } = await rawTalk(port, [request]);
    expect([statuses, closed]).toEqual([[417], true]);
    expect(text).toContain("ashlar-request-id: mine");
    expect(text).toContain("application/problem+json");
    expect(text).toContain("access-control-allow-origin: https://app.example");
    expect(handled).toBe(0);
    await expect.poll(counted).toBe(before + 1);
  });

  it("is refused with 417 like any other refusal, over HTTP/2", async () => {
    const before = await counted();
    const answer = await http2({ ":method": "PUT", ":path": "/things/1", expect: "much", "ashlar-request-id": "mine" });
    expect(answer).toMatchObject({ ":status": 417, "ashlar-request-id": "mine", "ashlar-error-code": "UNSUPPORTED" });
    expect(handled).toBe(0);
    await expect.poll(counted).toBe(before + 1);
  });

  it("is checked after everything that makes a request invalid", async () => {
    expect((await rawTalk(port, [http1("connection: close\r\n")])).statuses).toEqual([400]);
    const coded = http1("host: a\r\ntransfer-encoding: gzip, chunked\r\n", "0\r\n\r\n");
    expect((await rawTalk(port, [coded])).statuses).toEqual([501]);
    const fields = Array.from({ length: 2000 }, (_, index) => `x${index}: y\r\n`).join("");
    expect((await rawTalk(port, [http1(`host: a\r\n${fields}`)])).statuses).toEqual([431]);
  });

  it("counts as a request that comes to nothing", async () => {
    const burst = HTTP_LIMITS.UNAUTHENTICATED_REQUESTS_BURST.value;
    const socket = connectTcp(port, "127.0.0.1");
    let text = "";
    let answered = 0;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket
      .on("error", () => {})
      .on("data", (bytes) => {
        text += bytes.toString("latin1");
        const count = text.split("HTTP/1.1 417").length - 1;
        if (count === answered) return;
        answered = count;
        socket.write(http1("host: a\r\ncontent-length: 0\r\n"));
      });
    socket.write(http1("host: a\r\ncontent-length: 0\r\n"));
    await closed;
    expect(answered).toBeLessThanOrEqual(burst);
    expect(answered).toBeGreaterThan(burst / 2);
  });

  it("is ignored where HTTP says so, and 100-continue is known in upper and lower case", async () => {
    const old = "PUT /things/1 HTTP/1.0\r\nhost: a\r\nexpect: much\r\ncontent-length: 0\r\n\r\n";
    expect((await rawTalk(port, [old])).statuses).toEqual([204]);
    const known =
      "PUT /things/1 HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    expect((await rawTalk(port, [known])).statuses).toEqual([100, 204]);
    const again = await http2({ ":method": "PUT", ":path": "/things/1", expect: "100-Continue" }, true);
    expect(again[":status"]).toBe(204);
  });
});

describe("what only HTTP/2 refuses", () => {
  it.each([
    ["a tunnel", { ":method": "CONNECT", ":authority": "a:1" }, 405, "UNSUPPORTED"],
    ["headers that are too large", { ":path": "/things/1", a: "a".repeat(70_000) }, 431, "INVALID_ARGUMENT"],
  ])("has a request id: %s", async (_, headers, status, code) => {
    expect(await http2(headers)).toMatchObject({
      ":status": status,
      "ashlar-request-id": expect.stringMatching(/^\w+$/),
      "ashlar-error-code": code,
    });
  });
});
