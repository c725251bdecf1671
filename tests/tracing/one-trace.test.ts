import { randomBytes } from "node:crypto";
import { openTelemetryTracer } from "@ashlar/adapters/tracing/opentelemetry";
import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import { traced } from "@ashlar/sdk/tracing";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport, type TransportName } from "../support/transports.ts";
import { logLines, type SmallCluster, startSmallCluster } from "./small-cluster.ts";
import { pathUp, readSpans, type WrittenSpan, writtenSpan } from "./span-file.ts";

const TRANSPORTS: readonly TransportName[] = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"];
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };
const SERVER = 1;
const CLIENT = 2;

const memory = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
let cluster: SmallCluster;

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  cluster = await startSmallCluster({ traced: true });
  await using admin = client("gateway", "undici");
  await admin.createBucket({ bucket: "traced" });
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  context.disable();
});

function client(seat: "gateway" | "direct", transport: TransportName): ObjectClient {
  const options = {
    url: cluster.gateway.url,
    apiKey: cluster.apiKey,
    transport: openTransport(transport, NOBODY),
  };
  const inner = seat === "gateway" ? gateway(options) : direct(options);
  return createClient(traced(inner, openTelemetryTracer({ tracerProvider })));
}

/** All spans of the app and of the servers in the trace that begins with `rootName`; waits until no more come. */
async function traceOf(rootName: string): Promise<readonly WrittenSpan[]> {
  const root = memory.getFinishedSpans().find(({ name }) => name === rootName);
  if (root === undefined) throw new Error(`no span ${rootName}`);
  const { traceId } = root.spanContext();
  let count = -1;
  for (let tries = 0; tries < 50; tries++) {
    const own = memory.getFinishedSpans().map((span) => writtenSpan(span, "app"));
    const spans = [...own, ...readSpans(cluster.traceFile)].filter((span) => span.traceId === traceId);
    if (spans.length === count) return spans;
    count = spans.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the trace of ${rootName} does not come to an end`);
}

const names = (spans: readonly WrittenSpan[]): readonly string[] => spans.map(({ name }) => name);

describe.each(["gateway", "direct"] as const)("a put and a get through the %s seat", (seat) => {
  it.each(TRANSPORTS)("are one trace each over %s, from the call to disk and SQL", async (transport) => {
    memory.reset();
    const key = `${seat}-${transport}`;
    const body = randomBytes(200_000);
    await using store = client(seat, transport);
    await store.putObject({ bucket: "traced", key, body });
    const got = await store.getObject({ bucket: "traced", key });
    expect(Buffer.from(await got.bytes()).equals(body)).toBe(true);

    const put = await traceOf("ashlar.putObject");
    const root = put.find(({ name }) => name === "ashlar.putObject");
    // Every span is below the app's call: no process lost the trace.
    for (const span of put) expect(pathUp(put, span).at(-1)?.spanId, span.name).toBe(root?.spanId);
    expect(root?.attributes).toMatchObject({
      "ashlar.seat": seat,
      "ashlar.bucket": "traced",
      "ashlar.size_bytes": 200_000,
    });
    expect(JSON.stringify(put), "keys stay private").not.toContain(key);
    const synced = put.filter(({ name }) => name === "file.fsync");
    expect(new Set(synced.map(({ service }) => service)).size).toBeGreaterThanOrEqual(2);
    for (const span of synced) {
      const path = pathUp(put, span);
      expect(path.find(({ name }) => name.startsWith("store.putChunk"))).toBeDefined();
      const server = path.find(({ kind, service }) => kind === SERVER && service === span.service);
      expect(server?.attributes).toMatchObject({ "http.response.status_code": expect.any(Number) });
      const caller = path.find(({ kind, name }) => kind === CLIENT && name === "chunks.putChunk");
      expect(caller?.attributes["ashlar.node.id"]).toBe(span.service);
    }
    const committed = put.find(({ name }) => name === "COMMIT") as WrittenSpan;
    expect(committed.attributes).toMatchObject({ "db.system.name": "postgresql" });
    expect(names(pathUp(put, committed))).toEqual(
      expect.arrayContaining(["sql.commitObject", "ashlar.v1.ObjectService/CommitWrite", "catalog.commitObject"]),
    );

    const get = await traceOf("ashlar.getObject");
    const read = get.find(({ name }) => name === "store.openChunk") as WrittenSpan;
    expect(read.service).toMatch(/^node-/);
    expect(pathUp(get, read).at(-1)?.name).toBe("ashlar.getObject");
    expect(names(get)).toContain("sql.getObject");
  });
});

it("names RPCs and plain requests as OpenTelemetry's conventions say", async () => {
  memory.reset();
  await using store = client("gateway", "grpc");
  await store.headObject({ bucket: "traced", key: "no such key" }).catch(() => {});
  const spans = await traceOf("ashlar.headObject");
  const rpc = spans.find(({ kind }) => kind === SERVER);
  expect(rpc?.name).toBe("ashlar.v1.ObjectService/Locate");
  expect(rpc?.attributes).toMatchObject({
    "rpc.system.name": "grpc",
    "rpc.method": "ashlar.v1.ObjectService/Locate",
    "rpc.response.status_code": "NOT_FOUND",
    "error.type": "OBJECT_NOT_FOUND",
  });
  // The server is right to refuse; for the app the call failed.
  expect(rpc?.statusCode).not.toBe(2);
  const call = spans.find(({ name }) => name === "ashlar.headObject");
  expect(call).toMatchObject({ statusCode: 2, attributes: { "error.type": "OBJECT_NOT_FOUND" } });
});

it("names trace and request in the log lines of every server that took part", async () => {
  memory.reset();
  await using store = client("gateway", "undici");
  await store.putObject({ bucket: "traced", key: "logged", body: randomBytes(100_000) });
  const spans = await traceOf("ashlar.putObject");
  const traceId = spans[0]?.traceId;
  const line = logLines(cluster.gateway).find((each) => each.traceId === traceId && each.route === "/chunks");
  expect(line?.spanId).toBe(spans.find(({ name, service }) => name === "PUT /chunks" && service === "gateway")?.spanId);
  const onNodes = cluster.nodes.flatMap(logLines).filter((each) => each.traceId === traceId);
  expect(onNodes.length).toBeGreaterThanOrEqual(2);
  // One id finds the lines of the gateway and of the nodes that it called.
  for (const each of onNodes) expect(each.requestId).toBe(line?.requestId);
});
