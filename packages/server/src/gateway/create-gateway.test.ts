/** A gateway as a whole: over real nodes and one local store, secured and not, whole and degraded, from start to shutdown. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import {
  type LogFields,
  type Logger,
  type MetadataStore,
  silentLogger,
  systemClock,
  systemRandom,
  type Tracer,
} from "@ashlar/sdk/ports";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createMetrics, noMetrics } from "../observability/index.ts";
import { createGateway, type GatewayOptions } from "./create-gateway.ts";
import { startTestCluster, type TestCluster } from "./testing/start-test-cluster.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

const closers: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** @param replaced gives `node-2` another URL than it registered, as a row of an older release may. */
async function clusterOf(
  options?: Partial<GatewayOptions>,
  replaced: { readonly url?: string | undefined } = {},
): Promise<TestCluster & { readonly metadata: MetadataStore }> {
  const sound = createMemoryMetadataStore();
  const metadata: MetadataStore = {
    ...sound,
    async clusterSnapshot(call) {
      const { nodes, layouts } = await sound.clusterSnapshot(call);
      const urlOf = (nodeId: string, url: string): string => (nodeId === "node-2" ? (replaced.url ?? url) : url);
      return { layouts, nodes: nodes.map((node) => ({ ...node, url: urlOf(node.nodeId, node.url) })) };
    },
  };
  const parts = { metadata, hasher: nodeCryptoHasher, transport: undiciTransport(), nodeCount: 3 };
  const cluster = await startTestCluster({ ...parts, openStore: () => createMemoryChunkStore() }, options);
  closers.push(cluster.close);
  return { ...cluster, metadata };
}

async function singleOf(options?: Partial<GatewayOptions>): Promise<TestGateway> {
  const topology = singleStoreTopology(createMemoryChunkStore());
  const single = await startTestGateway(
    { metadata: createMemoryMetadataStore(), topology, hasher: nodeCryptoHasher },
    options,
  );
  closers.push(single.close);
  return single;
}

function clientOf(seat: typeof direct | typeof gateway, url: string, apiKey?: string): ObjectClient {
  const client = createClient(seat({ url, apiKey, transport: undiciTransport(), hasher: nodeCryptoHasher }));
  closers.push(() => client.close());
  return client;
}

async function roundTrip(client: ObjectClient, key: string, sizeBytes = 10_000_001): Promise<void> {
  const bytes = randomBytes(sizeBytes);
  await client.putObject({ bucket: "photos", key, body: bytes });
  const read = await (await client.getObject({ bucket: "photos", key })).bytes();
  expect(Buffer.from(read).equals(bytes)).toBe(true);
}

describe("a gateway whose logger and tracer fail", () => {
  const own = new Error("boom");
  it.each([
    [
      "throw",
      (): never => {
        throw own;
      },
    ],
    ["reject", (): Promise<never> => Promise.reject(own)],
  ])("and %s still answers, and reports each of them once on the console", async (_name, fail) => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      const logger = { debug: fail, info: fail, warn: fail, error: fail, child: fail } as unknown as Logger;
      const tracer = { start: fail, within: fail, headers: fail } as unknown as Tracer;
      const { url, keys } = await singleOf({ logger, tracer });
      const client = clientOf(gateway, url, keys.admin);
      await client.createBucket({ bucket: "photos" });
      await roundTrip(client, "cat", 100_000);
      await expect(client.headBucket({ bucket: "none" })).rejects.toMatchObject({ code: "BUCKET_NOT_FOUND" });
      expect(told.mock.calls.map(([text]) => String(text).split(".")[0])).toEqual(["ashlar: logger", "ashlar: tracer"]);
    } finally {
      told.mockRestore();
    }
  });

  it("is not created with a logger or tracer that lacks its methods", async () => {
    await expect(singleOf({ logger: {} as Logger })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(singleOf({ tracer: {} as Tracer })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a gateway over three nodes", () => {
  it.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("serves the %s seat", async (_name, seat) => {
    const { url, keys } = await clusterOf();
    const client = clientOf(seat, url, keys.readwrite);
    await client.createBucket({ bucket: "photos" });
    await roundTrip(client, "key");
    await roundTrip(client, "small", 1000);
    const slice = await client.getObject({ bucket: "photos", key: "key", range: { offset: 4_194_000, length: 1000 } });
    expect((await slice.bytes()).byteLength).toBe(1000);
  });

  it.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("serves the %s seat with one node dead, and notes what it missed", async (_name, seat) => {
    const { url, keys, stopNode, metadata } = await clusterOf();
    const client = clientOf(seat, url, keys.readwrite);
    await client.createBucket({ bucket: "photos" });
    await roundTrip(client, "before");
    await stopNode("node-2");
    await roundTrip(client, "after");
    const repairs = await metadata.listRepairs({ limit: 100 });
    expect(repairs.filter((repair) => repair.nodeId === "node-2").length).toBe(3);
  });

  it.each([
    ["gateway", gateway, "http://user:pa55word@127.0.0.1:1"],
    ["direct", direct, "http://user:pa55word@127.0.0.1:1"],
    ["gateway", gateway, "nonsense"],
    ["direct", direct, "nonsense"],
  ] as const)(
    "serves the %s seat although an old row names one node by a URL that nobody can use",
    async (_name, seat, bad) => {
      const { url, keys, metadata, stores } = await clusterOf({}, { url: bad });
      const client = clientOf(seat, url, keys.readwrite);
      await client.createBucket({ bucket: "photos" });
      await roundTrip(client, "key");
      // What the node missed is noted, for when it has registered again.
      const repairs = await metadata.listRepairs({ limit: 100 });
      expect(new Set(repairs.map((repair) => repair.nodeId))).toEqual(new Set(["node-2"]));
      expect((await stores.get("node-2")?.stats())?.chunkCount).toBe(0);
    },
  );

  it("reads ranges through its chunk API of a chunk that only one node still has", async () => {
    const { url, keys, stores, gateway: server } = await clusterOf();
    const client = clientOf(gateway, url, keys.readwrite);
    await client.createBucket({ bucket: "photos" });
    const bytes = randomBytes(100_000);
    const { sha256 = "" } = await client.putObject({ bucket: "photos", key: "key", body: bytes });
    for (const nodeId of ["node-1", "node-2"]) {
      await stores.get(nodeId)?.deleteChunks([decodeDigestHex(sha256)], { unclaimedForMs: 0 });
    }
    const read = await client.getObject({ bucket: "photos", key: "key", range: { offset: 500, length: 100 } });
    expect(Buffer.from(await read.bytes()).equals(bytes.subarray(500, 600))).toBe(true);
    expect((await server.engine.headObject({ bucket: "photos", key: "key" })).sizeBytes).toBe(100_000);
  });
});

describe("an insecure gateway", () => {
  it.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("needs no key in the %s seat", async (_name, seat) => {
    const { url } = await clusterOf({ insecure: true, clusterKey: undefined });
    const client = clientOf(seat, url);
    await client.createBucket({ bucket: "photos" });
    await roundTrip(client, "key");
  });

  it("still commits no chunk that is not there", async () => {
    const { url } = await clusterOf({ insecure: true, clusterKey: undefined });
    const client = clientOf(direct, url);
    await client.createBucket({ bucket: "photos" });
    const body = {
      bucket: "photos",
      key: "key",
      sizeBytes: "5",
      chunked: { chunks: [{ chunkId: Buffer.alloc(32, 7).toString("base64"), sizeBytes: "5" }] },
    };
    const headers = { "content-type": "application/json", "connect-protocol-version": "1" };
    const path = `${url}/ashlar.v1.ObjectService/CommitWrite`;
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, "aborted"]);
  });

  it("says that stores failed if they did not tell whether a chunk is there, and does not ask to upload it again", async () => {
    const failing = Object.assign(createMemoryChunkStore(), {
      hasChunks: async () => Promise.reject(new AshlarError("NODE_UNAVAILABLE", "EIO: i/o error")),
    });
    const topology = singleStoreTopology(failing);
    const metadata = createMemoryMetadataStore();
    const { url, close } = await startTestGateway(
      { metadata, topology, hasher: nodeCryptoHasher },
      { insecure: true, clusterKey: undefined },
    );
    closers.push(close);
    const seat = { url, transport: undiciTransport(), hasher: nodeCryptoHasher, retry: { forMs: 0 } };
    await using client = createClient(gateway(seat));
    await client.createBucket({ bucket: "photos" });
    const put = client.putObject({ bucket: "photos", key: "key", body: randomBytes(100_000) });
    await expect(put).rejects.toMatchObject({
      code: "QUORUM_NOT_REACHED",
      message: expect.stringContaining("EIO: i/o error"),
      details: { codes: "NODE_UNAVAILABLE" },
    });
  });

  it("says so when it starts", async () => {
    const lines: Array<readonly [LogFields, string]> = [];
    const logger: Logger = { ...silentLogger, warn: (fields, message) => void lines.push([fields, message]) };
    await singleOf({ insecure: true, logger });
    expect(lines.map(([, message]) => message)).toEqual([expect.stringContaining("access control is off")]);
    lines.length = 0;
    await singleOf({ logger });
    expect(lines).toEqual([]);
  });
});

describe("a gateway's life", () => {
  it("begins only with a cluster key of 32 characters", () => {
    const options = (more: Partial<GatewayOptions>): GatewayOptions => ({
      metadata: createMemoryMetadataStore(),
      topology: singleStoreTopology(createMemoryChunkStore()),
      hasher: nodeCryptoHasher,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      metrics: noMetrics,
      softwareVersion: "1",
      ...more,
    });
    for (const more of [{}, { clusterKey: "" }, { clusterKey: "short" }, { clusterKey: "short", insecure: true }]) {
      expect(() => createGateway(options(more))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });

  it("ends with the requests that run, and refuses new ones", async () => {
    const { url, keys, gateway: server } = await singleOf();
    const client = clientOf(gateway, url, keys.readwrite);
    await client.createBucket({ bucket: "photos" });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const answer = new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(data.toString().split("\r\n")[0] ?? "")),
    );
    const head = [
      "PUT /objects/photos/slow HTTP/1.1",
      "host: x",
      `authorization: Bearer ${keys.readwrite}`,
      "content-length: 10",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n01234`);
    await expect.poll(async () => (await fetch(`${url}/healthz`)).status).toBe(200);
    const closed = server.close({ graceMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    socket.write("56789");
    expect(await answer).toContain(" 200 ");
    await closed;
    await server.close();
    await expect(server.engine.listBuckets()).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  it("answers NODE_UNAVAILABLE, and no conflict, to requests that its end cuts off", async () => {
    const { gateway: server, keys } = await singleOf();
    const headers = { authorization: `Bearer ${keys.admin}` };
    await server.fetch(new Request("http://gateway/objects/photos", { method: "PUT", headers }));
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(100)) });
    const options = { method: "PUT", headers, body, duplex: "half" };
    const put = server.fetch(new Request("http://gateway/objects/photos/cut", options));
    const closed = server.close({ graceMs: 0 });
    const answer = await put;
    expect([answer.status, answer.headers.get("ashlar-error-code")]).toEqual([503, "NODE_UNAVAILABLE"]);
    await closed;
  });

  it("is ready while its database answers", async () => {
    let away = false;
    const inner = createMemoryMetadataStore();
    const metadata: MetadataStore = {
      ...inner,
      ping: async () => {
        if (away) throw new AshlarError("METADATA_UNAVAILABLE", "away");
      },
    };
    const topology = singleStoreTopology(createMemoryChunkStore());
    const { url, close } = await startTestGateway(
      { metadata, topology, hasher: nodeCryptoHasher },
      { metrics: createMetrics() },
    );
    closers.push(close);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    away = true;
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { ready: false, checks: { metadata: "away", gateway: "ok" } },
    ]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("ashlar_http_requests_running");
  });

  it("answers that it is not ready while its database hangs", async () => {
    const metadata: MetadataStore = { ...createMemoryMetadataStore(), ping: () => new Promise(() => {}) };
    const topology = singleStoreTopology(createMemoryChunkStore());
    const { url, close } = await startTestGateway({ metadata, topology, hasher: nodeCryptoHasher });
    closers.push(close);
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) });
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { ready: false, checks: { metadata: "does not answer", gateway: "ok" } },
    ]);
  });

  it("needs no port: fetch is enough", async () => {
    const { gateway: server, keys } = await singleOf();
    const call = (method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> =>
      server.fetch(
        new Request(`http://gateway${path}`, {
          method,
          body: body ?? null,
          headers: { authorization: `Bearer ${keys.admin}` },
        }),
      );
    expect((await call("PUT", "/objects/photos")).status).toBe(201);
    expect((await call("PUT", "/objects/photos/key", new Uint8Array([1, 2, 3]))).status).toBe(200);
    expect(await (await call("GET", "/objects/photos/key")).bytes()).toEqual(new Uint8Array([1, 2, 3]));
    expect((await call("GET", "/objects/photos/none")).headers.get("ashlar-error-code")).toBe("OBJECT_NOT_FOUND");
    const rpc = new Request("http://gateway/ashlar.v1.ObjectService/ListBuckets", {
      method: "POST",
      body: "{}",
      headers: { authorization: `Bearer ${keys.readonly}`, "content-type": "application/json" },
    });
    expect(await (await server.fetch(rpc)).json()).toMatchObject({ buckets: [{ bucket: "photos" }] });
  });
});
