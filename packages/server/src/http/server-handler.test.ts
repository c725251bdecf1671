import { AshlarError } from "@ashlar/sdk/errors";
import type { LogFields, Logger } from "@ashlar/sdk/ports";
import { afterEach, describe, expect, it } from "vitest";
import { createMetrics } from "../observability/index.ts";
import { createHttpListener, type HttpListener } from "./connection/listener.ts";
import type { Readiness } from "./health-routes.ts";
import type { HttpHandler } from "./http-handler.ts";
import type { ServerHandlerOptions } from "./server-handler.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { type RawAnswer, rawRequest } from "./testing/raw-request.ts";
import { thingsHandlers } from "./testing/things-handlers.ts";

const open: HttpListener[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close({ graceMs: 0 })));
});

interface Line {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

function collectingLogger(lines: Line[]): Logger {
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
}

async function start(handler: HttpHandler, options: Partial<ServerHandlerOptions> = {}): Promise<string> {
  const listener = createHttpListener({ handler: thingsHandlers(handler, options).handler });
  open.push(listener);
  return (await listener.listen()).url;
}

const ok: HttpHandler = async () => ({ status: 200, body: new TextEncoder().encode("fine") });

describe("a request for the other port", () => {
  it("is answered 404 with a request id, and counted like any other", async () => {
    const lines: Line[] = [];
    const url = await start(ok, { operationsApart: true, logger: collectingLogger(lines) });
    const answer = await rawRequest(url, "/metrics");
    expect(answer.status).toBe(404);
    const requestId = answer.headers["ashlar-request-id"];
    expect(JSON.parse(answer.text)).toMatchObject({ requestId });
    expect(requestId).toMatch(/./);
    await expect.poll(() => lines.some(({ fields }) => fields.requestId === requestId)).toBe(true);
  });
});

describe("the metrics", () => {
  it("are rendered once for all who ask while a rendering runs, and nine times as long after it", async () => {
    const clock = createManualClock();
    const metrics = createMetrics();
    let renderings = 0;
    const render = async (): ReturnType<typeof metrics.render> => {
      renderings++;
      await clock.advance(5);
      return await metrics.render();
    };
    const url = await start(ok, { clock, metrics: { ...metrics, render } });
    const ask = async (): Promise<number> => (await rawRequest(url, "/metrics")).status;
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([200, 200, 200]);
    await clock.advance(44);
    expect(await ask()).toBe(200);
    expect(renderings).toBe(1);
    await clock.advance(1);
    expect(await ask()).toBe(200);
    expect(renderings).toBe(2);
  });
});

describe("request ids", () => {
  it("are sent back if they are valid, made up otherwise, and are in every answer", async () => {
    const url = await start(ok);
    const ask = async (id?: string): Promise<string | string[] | undefined> => {
      const headers = id === undefined ? {} : { "ashlar-request-id": id };
      return (await rawRequest(url, "/things/1", { headers })).headers["ashlar-request-id"];
    };
    expect(await ask("my.request-1_x")).toBe("my.request-1_x");
    const made = await ask();
    expect(made).toMatch(/^[0-9a-f]{24}$/);
    expect(await ask()).not.toBe(made);
    expect(await ask("no spaces")).toMatch(/^[0-9a-f]{24}$/);
    expect(await ask("x".repeat(65))).toMatch(/^[0-9a-f]{24}$/);
    expect((await rawRequest(url, "/nowhere")).headers["ashlar-request-id"]).toMatch(/^[0-9a-f]{24}$/);
  });
});

describe("errors", () => {
  it("become problem+json with their code, details and request id", async () => {
    const url = await start(async () => {
      throw new AshlarError("BUCKET_NOT_FOUND", "no bucket photos", { details: { bucket: "photos" } });
    });
    const answer = await rawRequest(url, "/things/1", { headers: { "ashlar-request-id": "r1" } });
    expect(answer.status).toBe(404);
    expect(answer.json()).toEqual({
      type: "about:blank",
      title: "BUCKET_NOT_FOUND",
      status: 404,
      detail: "no bucket photos",
      code: "BUCKET_NOT_FOUND",
      details: { bucket: "photos", requestId: "r1" },
      requestId: "r1",
    });
  });

  it("that are unexpected become INTERNAL: the log has everything, the answer nothing", async () => {
    const lines: Line[] = [];
    const failure = async (): Promise<never> => {
      throw new TypeError("secret detail of our insides");
    };
    const url = await start(failure, { logger: collectingLogger(lines) });
    const answer = await rawRequest(url, "/things/1");
    expect(answer.status).toBe(500);
    expect(answer.json()).toMatchObject({ code: "INTERNAL" });
    expect(answer.text).not.toContain("secret");
    const logged = lines.find((line) => line.level === "error");
    expect(logged?.fields.error).toMatchObject({ message: "secret detail of our insides" });
    expect(logged?.fields.requestId).toBe(answer.headers["ashlar-request-id"]);
  });

  it("that say 'try later' say when", async () => {
    const url = await start(async () => {
      throw new AshlarError("NODE_UNAVAILABLE", "starting");
    });
    expect((await rawRequest(url, "/things/1")).headers["retry-after"]).toBe("1");
  });
});

describe("overload", () => {
  it("answers OVERLOADED above the limit, but not to probes, and recovers", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    const stuck: HttpHandler = async () => {
      begun++;
      return {
        status: 200,
        body: (async function* () {
          await held;
          yield new TextEncoder().encode("done");
        })(),
      };
    };
    const url = await start(stuck, { requestsInFlightMax: 2 });
    // One more than the limit: the pool has a quarter more, for others.
    const running = ["/things/1", "/things/2", "/things/3"].map((path) => rawRequest(url, path));
    await expect.poll(() => begun).toBe(3);
    const refused = await rawRequest(url, "/things/5");
    expect([refused.status, refused.headers["ashlar-error-code"], refused.headers["retry-after"]]).toEqual([
      503,
      "OVERLOADED",
      "1",
    ]);
    const rpc = await rawRequest(url, "/grpc.health.v1.Health/Check", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new TextEncoder().encode("{}"),
    });
    expect([rpc.status, rpc.json()]).toEqual([200, { status: "SERVING" }]);
    expect((await rawRequest(url, "/healthz")).status).toBe(200);
    release();
    expect((await Promise.all(running)).map((answer) => answer.text)).toEqual(["done", "done", "done"]);
    expect((await rawRequest(url, "/things/4")).status).toBe(200);
  });
});

describe("logs and metrics", () => {
  it("have one line and one count for each request, with bytes and code", async () => {
    const lines: Line[] = [];
    const metrics = createMetrics();
    const echo: HttpHandler = async ({ path, body }) => {
      if (path === "/things/bad") throw new AshlarError("INVALID_ARGUMENT", "bad");
      return { status: 200, body };
    };
    const url = await start(echo, { logger: collectingLogger(lines), metrics });
    await rawRequest(url, "/things/1?x=1", { method: "PUT", body: new Uint8Array(5000) });
    await rawRequest(url, "/things/bad");
    await rawRequest(url, "/nowhere");
    await rawRequest(url, "/grpc.health.v1.Health/Check", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new TextEncoder().encode('{"service":"nobody"}'),
    });
    const requests = lines.filter((line) => line.message === "request").map((line) => line.fields);
    expect(requests).toMatchObject([
      { method: "PUT", path: "/things/1", route: "things", status: 200, code: "OK", bytesIn: 5000, bytesOut: 5000 },
      { method: "GET", path: "/things/bad", route: "things", status: 400, code: "INVALID_ARGUMENT" },
      { route: "unknown", status: 404, code: "UNSUPPORTED" },
      { route: "/grpc.health.v1.Health/Check", protocol: "connect", status: 404 },
    ]);
    const { text, headers } = await rawRequest(url, "/metrics");
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    expect(text).toContain('ashlar_http_requests_total{route="things",protocol="http",status="200",code="OK"} 1');
    expect(text).toContain('ashlar_http_received_bytes_total{route="things"} 5000');
    expect(text).toContain('ashlar_http_sent_bytes_total{route="things"} 5');
    expect(text).toContain("ashlar_http_requests_running 0");
    expect(text).toMatch(/ashlar_http_request_duration_seconds_count\{route="things",protocol="http"\} 2/);
  });

  it("show when a client left before the end", async () => {
    const lines: Line[] = [];
    const url = await start(
      async ({ signal }) => ({
        status: 200,
        body: (async function* () {
          while (!signal.aborted) {
            yield new Uint8Array(1000);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        })(),
      }),
      { logger: collectingLogger(lines) },
    );
    const controller = new AbortController();
    const response = await fetch(`${url}/things/1`, { signal: controller.signal });
    await response.body?.getReader().read();
    controller.abort();
    await expect.poll(() => lines.find((line) => line.message === "request")?.fields.status).toBe(499);
  });
});

describe("operations", () => {
  it("tell alive from ready", async () => {
    let readiness: Readiness = { ready: false, checks: { database: "away" } };
    const url = await start(ok, { readiness: async () => readiness });
    expect((await rawRequest(url, "/healthz")).json()).toEqual({ status: "alive" });
    const unready = await rawRequest(url, "/readyz");
    expect([unready.status, unready.json()]).toEqual([503, readiness]);
    readiness = { ready: true, checks: {} };
    expect((await rawRequest(url, "/readyz")).status).toBe(200);
    expect((await rawRequest(url, "/readyz", { method: "HEAD" })).text).toBe("");
    expect((await rawRequest(url, "/healthz", { method: "POST" })).status).toBe(405);
  });
});

describe("CORS", () => {
  const origin = "https://app.example";
  const preflight = (url: string, from: string): Promise<RawAnswer> =>
    rawRequest(url, "/things/1", {
      method: "OPTIONS",
      headers: {
        origin: from,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization,ashlar-meta-color,x-evil",
      },
    });

  it("is off by default", async () => {
    const url = await start(ok);
    const answer = await rawRequest(url, "/things/1", { headers: { origin } });
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    expect((await preflight(url, origin)).headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("lets the pages of listed origins in, and no others", async () => {
    const url = await start(ok, { cors: { allowedOrigins: [origin] } });
    const allowed = await preflight(url, origin);
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin" });
    expect(allowed.headers["access-control-allow-methods"]).toContain("PUT");
    const names = String(allowed.headers["access-control-allow-headers"]).split(", ");
    expect(names).toEqual(
      expect.arrayContaining([
        "authorization",
        "ashlar-meta-color",
        "connect-protocol-version",
        "connect-timeout-ms",
        "x-grpc-web",
        "grpc-timeout",
        "range",
      ]),
    );
    expect(names).not.toContain("x-evil");
    const get = await rawRequest(url, "/things/1", { headers: { origin } });
    expect(get.headers["access-control-allow-origin"]).toBe(origin);
    expect(get.headers["access-control-expose-headers"]).toContain("ashlar-request-id");
    expect(get.headers["access-control-expose-headers"]).toContain("grpc-status-details-bin");
    const foreign = await preflight(url, "https://evil.example");
    expect(foreign.headers["access-control-allow-origin"]).toBeUndefined();
    const foreignGet = await rawRequest(url, "/things/1", { headers: { origin: "https://evil.example" } });
    expect(foreignGet.headers["access-control-allow-origin"]).toBeUndefined();
    expect(foreignGet.headers.vary).toBe("origin");
  });

  it("covers errors, and shows metadata headers by name", async () => {
    const url = await start(
      async ({ path }) => {
        if (path === "/things/bad") throw new AshlarError("INVALID_ARGUMENT", "bad");
        return { status: 200, header: new Headers({ "ashlar-meta-color": "red" }) };
      },
      { cors: { allowedOrigins: "*" } },
    );
    const bad = await rawRequest(url, "/things/bad", { headers: { origin } });
    expect([bad.status, bad.headers["access-control-allow-origin"]]).toEqual([400, "*"]);
    const good = await rawRequest(url, "/things/1", { headers: { origin } });
    expect(good.headers["access-control-expose-headers"]).toContain("ashlar-meta-color");
  });
});
