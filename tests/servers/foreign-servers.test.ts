/** Every transport at the address of a server of another kind: over real sockets, each gives the same error with the same words. */
import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTcpServer, type Server } from "node:net";
import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import { afterEach, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { type ListeningServer, listen } from "../support/listening-server.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const TRANSPORTS: readonly TransportName[] = ["fetch", "undici", "connect", "grpc-web", "grpc", "grpc-js"];
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };
const ref = { bucket: "photos", key: "a" };

interface Foreign extends ListeningServer {
  /** Requests, or connections where it speaks no HTTP. */
  count(): number;
}

let foreign: Foreign | undefined;
const clients: ObjectClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await foreign?.close();
});

type Answer = readonly [status: number, headers: Readonly<Record<string, string>>, body: string];

const JSON_TYPE = { "content-type": "application/json" };
const HTML_TYPE = { "content-type": "text/html; charset=utf-8" };

const OTHERS: Readonly<Record<string, Answer>> = {
  "200 with {}": [200, JSON_TYPE, "{}"],
  "200 with []": [200, JSON_TYPE, "[]"],
  "200 with a status": [200, JSON_TYPE, '{"status":"ok"}'],
  "200 with nothing in protobuf": [200, { "content-type": "application/proto" }, ""],
  "200 with a page": [200, HTML_TYPE, "<!doctype html><p>welcome"],
  "204": [204, {}, ""],
  "a redirect": [302, { location: "http://127.0.0.1:1/login" }, ""],
  "400": [400, HTML_TYPE, "bad"],
  "404": [404, HTML_TYPE, "<p>none"],
  "405": [405, JSON_TYPE, "{}"],
  "412": [412, {}, ""],
  "415": [415, JSON_TYPE, '{"code":"internal"}'],
  "500": [500, HTML_TYPE, "oops"],
  "501, as Python's http.server": [501, HTML_TYPE, "<p>Unsupported method ('POST')"],
};

async function listening(server: Server, count: () => number): Promise<Foreign> {
  foreign = { ...(await listen(server)), count };
  return foreign;
}

function startHttp([status, headers, body]: Answer, version: 1 | 2): Promise<Foreign> {
  let requests = 0;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    requests++;
    request.resume();
    response.writeHead(status, headers).end(body);
  };
  const server = version === 1 ? createHttp1Server(listener) : createHttp2Server(listener as never);
  return listening(server, () => requests);
}

function startTcp(greeting: string): Promise<Foreign> {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections++;
    socket.end(greeting);
  });
  return listening(server, () => connections);
}

function open(name: TransportName, seat = gateway, forMs?: number): ObjectClient {
  const url = foreign?.url ?? "";
  const retry = forMs === undefined ? undefined : { forMs };
  const client = createClient(seat({ url, apiKey: "ashlar_0_0", transport: openTransport(name, NOBODY), retry }));
  clients.push(client);
  return client;
}

/** Calls whose answer may be empty, and some whose answer may not. */
const CALLS: Readonly<Record<string, (client: ObjectClient) => Promise<unknown>>> = {
  listBuckets: (client) => client.listBuckets(),
  createBucket: (client) => client.createBucket({ bucket: "photos", ifMissing: true }),
  headBucket: (client) => client.headBucket({ bucket: "photos" }),
  deleteBucket: (client) => client.deleteBucket({ bucket: "photos" }),
  putObject: (client) => client.putObject({ ...ref, body: "x" }),
  "putObject in chunks": (client) => client.putObject({ ...ref, body: new Uint8Array(100_000) }),
  getObject: (client) => client.getObject(ref),
  headObject: (client) => client.headObject(ref),
  deleteObject: (client) => client.deleteObject(ref),
  listObjects: (client) => client.listObjectsPage({ bucket: "photos" }),
  createUpload: (client) => client.createUpload(ref),
  abortUpload: (client) => client.abortUpload({ uploadId: "u" }),
  createAccessToken: (client) => client.createAccessToken({ bucket: "photos" }),
  cluster: (client) => client.cluster(),
};

async function expectForeign(client: ObjectClient): Promise<void> {
  for (const [name, call] of Object.entries(CALLS)) {
    const before = foreign?.count() ?? 0;
    const error = await expectCode(call(client), "UNSUPPORTED");
    expect(error.message, name).toContain(`the server at ${foreign?.url} is no Ashlar server`);
    expect(error.details, name).toMatchObject({ url: foreign?.url, reason: "NOT_ASHLAR" });
    expect(error.details.outcome, name).toBeUndefined();
    // Not tried again: waiting does not turn it into an Ashlar server. HTTP/2 libraries may open their next connection by themselves.
    expect((foreign?.count() ?? 0) - before, name).toBeLessThanOrEqual(2);
  }
}

describe.each(TRANSPORTS)("over %s", (name) => {
  const version = name.startsWith("grpc") && name !== "grpc-web" ? 2 : 1;

  test.each(Object.keys(OTHERS))("a server that answers %s is no Ashlar server", async (other) => {
    await startHttp(OTHERS[other] as Answer, version);
    await expectForeign(open(name));
  });

  test("neither is one that speaks another version of HTTP", async () => {
    await startHttp([200, JSON_TYPE, "{}"], version === 1 ? 2 : 1);
    await expectForeign(open(name));
  });

  test("neither is one that speaks no HTTP", async () => {
    await startTcp("SSH-2.0-OpenSSH_9.9\r\n");
    await expectForeign(open(name));
  });

  test("neither is it for the direct seat", async () => {
    await startHttp([200, JSON_TYPE, "{}"], version);
    await expectForeign(open(name, direct));
  });

  test.each([502, 503, 504])("a proxy's %i is a server that is away, and is tried again", async (status) => {
    await startHttp([status, HTML_TYPE, "<p>bad gateway"], version);
    const client = open(name, gateway, 50);
    await expectCode(client.listBuckets(), "NODE_UNAVAILABLE");
    expect(foreign?.count()).toBeGreaterThan(1);
  });

  test.each([
    [401, "UNAUTHENTICATED"],
    [403, "PERMISSION_DENIED"],
    [413, "OBJECT_TOO_LARGE"],
    [429, "OVERLOADED"],
  ] as const)("a proxy's %i is %s", async (status, code) => {
    await startHttp([status, HTML_TYPE, "<p>no"], version);
    const error = await expectCode(open(name, gateway, 0).listBuckets(), code);
    expect(error.message).toContain(`the server answered ${status}`);
  });
});
