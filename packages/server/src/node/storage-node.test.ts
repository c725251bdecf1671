import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { AshlarError } from "@ashlar/sdk/errors";
import { MIB } from "@ashlar/sdk/limits";
import {
  type ChunkStoreStats,
  type MetadataStore,
  type NodeRegistry,
  silentLogger,
  systemClock,
} from "@ashlar/sdk/ports";
import {
  ChunkService,
  ClusterService,
  CredentialService,
  HealthCheckResponse_Status,
  ObjectService,
} from "@ashlar/sdk/rpc";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import {
  CLUSTER_KEY,
  digestOf,
  freePort,
  patternBytes,
  startTestNode,
  type TestNode,
} from "../chunk-api/testing/start-test-node.ts";
import { rawRequest } from "../http/testing/raw-request.ts";
import { createMetrics } from "../observability/index.ts";
import { createStorageNode } from "./create-storage-node.ts";
import { createDiskWatch } from "./disk-watch.ts";

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function start(...args: Parameters<typeof startTestNode>): Promise<TestNode> {
  const node = await startTestNode(...args);
  open.push(node);
  return node;
}

async function recordOf(registry: NodeRegistry, nodeId = "node-1") {
  return (await registry.clusterSnapshot()).nodes.find((node) => node.nodeId === nodeId);
}

/** The registry over a database that can go away, come back, and lose what it held. */
function unreliableRegistry() {
  let current: MetadataStore = createMemoryMetadataStore();
  let away = false;
  let callCount = 0;
  const through = <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      callCount++;
      if (away) throw new AshlarError("METADATA_UNAVAILABLE", "connection refused");
      return await call(...args);
    };
  };
  const registry: NodeRegistry = {
    registerNode: through((...args) => current.registerNode(...args)),
    heartbeat: through((...args) => current.heartbeat(...args)),
    stopNode: through((...args) => current.stopNode(...args)),
    clusterSnapshot: (...args) => current.clusterSnapshot(...args),
    changeLayout: (...args) => current.changeLayout(...args),
  };
  return {
    registry,
    callCount: () => callCount,
    setAway: (value: boolean): void => {
      away = value;
    },
    forget: (): void => {
      current = createMemoryMetadataStore();
    },
  };
}

describe("a storage node", () => {
  it("registers when it listens, sends figures with heartbeats, and is stopped when it closes", async () => {
    const registry = createMemoryMetadataStore();
    const options = { registry, heartbeatIntervalMs: 30, zone: "a", weight: 2, softwareVersion: "9.9.9" };
    const node = await startTestNode(createMemoryChunkStore(), options);
    expect(await recordOf(registry)).toMatchObject({
      nodeId: "node-1",
      url: node.url,
      zone: "a",
      weight: 2,
      softwareVersion: "9.9.9",
      state: "up",
    });
    const bytes = patternBytes(1234);
    await node.store.putChunk(await digestOf(bytes), bytes);
    await expect.poll(async () => (await recordOf(registry))?.stats?.bytesUsed).toBe(1234);
    await node.close();
    expect((await recordOf(registry))?.state).toBe("stopped");
    // It stays in the layout: only an operator takes a node out.
    expect((await registry.clusterSnapshot()).layouts[0]?.nodes.map((node) => node.nodeId)).toEqual(["node-1"]);
  });

  it("hashes what comes over the wire, whatever the caller says that it has verified", async () => {
    const node = await start(createMemoryChunkStore());
    const authorization = (): string => node.cluster;
    const right = await digestOf(patternBytes(3 * MIB, 1));
    for (const transport of [httpTransport(), connectTransport()]) {
      const store = transport.openChunkStore({ url: node.url, authorization });
      const put = store.putChunk(right, patternBytes(3 * MIB, 2), { digestVerified: true });
      await expect(put).rejects.toMatchObject({ code: "CHUNK_DIGEST_MISMATCH" });
      await transport.close();
    }
  });

  it("registers its public URL where it has one, and comes back under a new address", async () => {
    const registry = createMemoryMetadataStore();
    const first = await startTestNode(createMemoryChunkStore(), { registry, publicUrl: "https://node-1.example/" });
    expect((await recordOf(registry))?.url).toBe("https://node-1.example");
    await first.close();
    const port = await freePort();
    await start(createMemoryChunkStore(), { registry, port });
    expect(await recordOf(registry)).toMatchObject({ url: `http://127.0.0.1:${port}`, state: "up" });
    expect((await registry.clusterSnapshot()).nodes).toHaveLength(1);
  });

  it("tells the release of its package where it is given none", async () => {
    const registry = createMemoryMetadataStore();
    await start(createMemoryChunkStore(), { registry });
    expect((await recordOf(registry))?.softwareVersion).toBe(manifest.version);
  });

  it("is not registered under the id of another node that runs, and is once that one has stopped", async () => {
    const registry = createMemoryMetadataStore();
    const first = await startTestNode(createMemoryChunkStore(), { registry, heartbeatIntervalMs: 30 });
    const second = await start(createMemoryChunkStore(), { registry, heartbeatIntervalMs: 30 });
    const registryOf = async (node: TestNode): Promise<unknown> =>
      ((await rawRequest(node.url, "/readyz")).json() as { checks: { registry: string } }).checks.registry;
    expect([await registryOf(first), await registryOf(second)]).toEqual(["registered", "id held by another node"]);
    expect((await recordOf(registry))?.url).toBe(first.url);
    await first.close();
    await expect.poll(() => registryOf(second)).toBe("registered");
    expect(await recordOf(registry)).toMatchObject({ url: second.url, state: "up" });
  });

  it("registers again at once when the database forgot it", async () => {
    const database = unreliableRegistry();
    const node = await start(createMemoryChunkStore(), { registry: database.registry, heartbeatIntervalMs: 50 });
    database.forget();
    expect(await recordOf(database.registry)).toBeUndefined();
    await expect
      .poll(() => recordOf(database.registry), { timeout: 20_000 })
      .toMatchObject({ url: node.url, state: "up" });
  });

  it("serves chunks while the database is away, from the start too, and registers when it is back", async () => {
    const database = unreliableRegistry();
    database.setAway(true);
    const node = await start(createMemoryChunkStore(), { registry: database.registry, heartbeatIntervalMs: 40 });
    const client = createClient(ChunkService, createGrpcTransport({ baseUrl: node.url }));
    const data = patternBytes(500);
    const put = await client.writeChunk(
      { chunkId: await digestOf(data), data },
      { headers: { authorization: node.cluster } },
    );
    expect(put.sizeBytes).toBe(500n);
    const unregistered = await rawRequest(node.url, "/readyz");
    expect([unregistered.status, unregistered.json()]).toEqual([
      200,
      { ready: true, checks: { store: "ok", registry: "not registered" } },
    ]);
    database.setAway(false);
    await expect.poll(() => recordOf(database.registry), { timeout: 20_000 }).toMatchObject({ state: "up" });
    const before = database.callCount();
    database.setAway(true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Retries are spaced: never a busy loop.
    expect(database.callCount() - before).toBeLessThan(60);
    database.setAway(false);
    await expect
      .poll(async () => (await rawRequest(node.url, "/readyz")).json(), { timeout: 20_000 })
      .toMatchObject({ checks: { registry: "registered" } });
  });

  describe("says that it is a storage node to a caller that takes it for a gateway", () => {
    const hint = expect.stringContaining("this is a storage node");

    it.each(["/objects", "/objects/photos/key", "/access-tokens"])("%s", async (path) => {
      const node = await start(createMemoryChunkStore(), {});
      const answer = await rawRequest(node.url, path);
      expect([answer.status, answer.json()]).toMatchObject([404, { code: "UNSUPPORTED", detail: hint }]);
    });

    it.each<[name: string, call: (transport: Transport) => Promise<unknown>]>([
      ["ObjectService", (transport) => createClient(ObjectService, transport).listBuckets({})],
      ["ClusterService", (transport) => createClient(ClusterService, transport).getCluster({})],
      ["CredentialService", (transport) => createClient(CredentialService, transport).listApiKeys({})],
    ])("%s", async (_, call) => {
      const node = await start(createMemoryChunkStore(), {});
      const connect = createConnectTransport({ baseUrl: node.url, httpVersion: "1.1" });
      const web = createGrpcWebTransport({ baseUrl: node.url, httpVersion: "1.1" });
      for (const transport of [connect, web, createGrpcTransport({ baseUrl: node.url })])
        await expect(call(transport)).rejects.toMatchObject({ code: Code.Unimplemented, rawMessage: hint });
    });
  });

  it("answers that it is not ready while its disk hangs", async () => {
    const store = createMemoryChunkStore();
    let hangs = false;
    const stats = store.stats.bind(store);
    store.stats = () => (hangs ? new Promise<never>(() => {}) : stats());
    const node = await start(store, {});
    hangs = true;
    const answer = await fetch(`${node.url}/readyz`, { signal: AbortSignal.timeout(20_000) });
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { ready: false, checks: { store: "does not answer" } },
    ]);
  });

  it("closes in order although the database is away, and is closed only once", async () => {
    const database = unreliableRegistry();
    const node = await startTestNode(createMemoryChunkStore(), {
      registry: database.registry,
      heartbeatIntervalMs: 20,
    });
    database.setAway(true);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await Promise.all([node.node.close(), node.node.close()]);
    const calls = database.callCount();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(database.callCount()).toBe(calls);
    await expect(rawRequest(node.url, "/healthz")).rejects.toThrow();
  });

  it("gives up on a registry that does not answer, and closes all the same", async () => {
    const hanging: NodeRegistry = {
      ...unreliableRegistry().registry,
      registerNode: (_registration, options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason as Error));
        }),
    };
    // Time runs fast here, so that five seconds take fifty milliseconds.
    const clock = {
      ...systemClock,
      sleep: (durationMs: number, options?: { readonly signal?: AbortSignal | undefined }) =>
        systemClock.sleep(durationMs / 100, options),
    };
    const node = await startTestNode(createMemoryChunkStore(), { registry: hanging, clock });
    expect((await rawRequest(node.url, "/readyz")).json()).toMatchObject({ checks: { registry: "not registered" } });
    await node.close();
  });

  it("measures what registering and heartbeats take", async () => {
    const metrics = createMetrics();
    const registry = createMemoryMetadataStore();
    const node = await start(createMemoryChunkStore(), { registry, metrics, heartbeatIntervalMs: 20 });
    await expect
      .poll(async () => (await rawRequest(node.url, "/metrics")).text)
      .toMatch(/ashlar_node_registry_call_duration_seconds_count\{call="heartbeat"\} [1-9]/);
    const { text } = await rawRequest(node.url, "/metrics");
    expect(text).toContain('ashlar_node_registry_call_duration_seconds_count{call="register"} 1');
    expect(text).toContain("ashlar_node_chunks 0");
  });

  it("refuses to be made without a key, with a short one, or under a bad id", () => {
    const store = createMemoryChunkStore();
    const make = (options: object) => () => createStorageNode({ nodeId: "node-1", store, ...options });
    expect(make({})).toThrow(AshlarError);
    expect(make({ clusterKey: "short" })).toThrow(AshlarError);
    expect(make({ clusterKey: CLUSTER_KEY, nodeId: "no spaces" })).toThrow(AshlarError);
    expect(make({ clusterKey: CLUSTER_KEY, chunkMaxBytes: 0 })).toThrow(AshlarError);
    expect(make({ insecure: true })).not.toThrow();
  });

  it.each([
    "http://user:pa55word@127.0.0.1:1",
    "http://127.0.0.1:1/?zone=a",
    "http://127.0.0.1:1#a",
    "127.0.0.1:1",
    "ftp://127.0.0.1",
    "",
  ])("refuses to be made under a public URL that nobody could use, and shows no password: %s", (publicUrl) => {
    const make = (): unknown =>
      createStorageNode({ nodeId: "node-1", store: createMemoryChunkStore(), insecure: true, publicUrl });
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(make).toThrow(expect.objectContaining({ message: expect.not.stringContaining("pa55word") }));
  });

  it("closes when the registry rejects its registration as invalid, at the start and later, and does not ask again", async () => {
    const database = unreliableRegistry();
    const fault = new AshlarError("INVALID_ARGUMENT", "a zone is 1 to 64 of [A-Za-z0-9._-]");
    let refuses = true;
    let asked = 0;
    const registry: NodeRegistry = {
      ...database.registry,
      registerNode: async (...args) => {
        asked++;
        if (refuses) throw fault;
        return await database.registry.registerNode(...args);
      },
    };
    const make = () =>
      createStorageNode({
        nodeId: "node-1",
        store: createMemoryChunkStore(),
        registry,
        insecure: true,
        heartbeatIntervalMs: 20,
      });
    const atOnce = make();
    await expect(atOnce.listen()).rejects.toBe(fault);
    await expect(atOnce.refused).resolves.toBe(fault);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked).toBe(1);
    refuses = false;
    const later = make();
    open.push(later);
    await later.listen();
    refuses = true;
    database.forget();
    await expect(later.refused).resolves.toBe(fault);
    expect(asked).toBe(3);
    await later.close();
  });

  it("does not accept the grants of another cluster", async () => {
    const node = await start(createMemoryChunkStore());
    const other = await start(createMemoryChunkStore(), { clusterKey: `${CLUSTER_KEY} of another cluster` });
    const headers = { authorization: node.cluster };
    const path = `/chunks/${"0".repeat(64)}`;
    expect((await rawRequest(node.url, path, { headers })).status).toBe(404);
    expect((await rawRequest(other.url, path, { headers })).status).toBe(401);
  });
});

describe("a full disk", () => {
  const stats = (bytesFree: number): ChunkStoreStats => ({
    chunkCount: 0,
    bytesUsed: 0,
    bytesFree,
    bytesTotal: 100 * MIB,
  });

  it("makes the node read-only before a body is read, until the node sees that it has room again", async () => {
    let bytesFree = MIB;
    const store = Object.assign(createMemoryChunkStore(), { stats: async () => stats(bytesFree) });
    const bytes = patternBytes(100);
    await store.putChunk(await digestOf(bytes), bytes);
    const node = await start(store);
    const client = createClient(ChunkService, createGrpcTransport({ baseUrl: node.url }));
    expect((await client.healthCheck({})).status).toBe(HealthCheckResponse_Status.READ_ONLY);
    const path = `/chunks/${Buffer.from(await digestOf(bytes)).toString("hex")}`;
    const headers = { authorization: node.cluster };
    const put = () => rawRequest(node.url, path, { method: "PUT", headers, body: bytes });
    const refused = await put();
    expect([refused.status, refused.headers["ashlar-error-code"]]).toEqual([507, "DISK_FULL"]);
    expect((await rawRequest(node.url, path, { headers })).status).toBe(200);
    expect((await rawRequest(node.url, path, { method: "DELETE", headers })).status).toBe(200);
    bytesFree = 50 * MIB;
    await expect.poll(async () => (await put()).status, { timeout: 20_000, interval: 200 }).toBe(201);
    expect((await client.healthCheck({})).status).toBe(HealthCheckResponse_Status.SERVING);
  });

  it("counts as full when a write failed with DISK_FULL, until a look at the disk shows room", async () => {
    const store = Object.assign(createMemoryChunkStore(), { stats: async () => stats(50 * MIB) });
    let nowMs = 0;
    const clock = { ...systemClock, monotonicMs: () => nowMs };
    const watch = createDiskWatch({ store, clock, logger: silentLogger });
    await watch.assertWritable();
    watch.onWriteFailed(new AshlarError("CHUNK_DIGEST_MISMATCH", "not about the disk"));
    expect(watch.isFull()).toBe(false);
    watch.onWriteFailed(new AshlarError("DISK_FULL", "no space left"));
    expect(watch.isFull()).toBe(true);
    await expect(watch.assertWritable()).rejects.toMatchObject({ code: "DISK_FULL" });
    nowMs = 1500;
    await watch.assertWritable();
    expect(watch.isFull()).toBe(false);
  });
});
