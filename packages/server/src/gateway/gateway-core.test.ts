/** The parts of a gateway, each made alone: an app answers requests itself, listens itself, and leaves maintenance to a worker. */
import { randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { createClient, gateway, type ObjectClient } from "@ashlar/sdk";
import { createReplicatedStore, singleStoreTopology, type Topology } from "@ashlar/sdk/engine";
import { type ChunkStore, type MetadataStore, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createServerPorts } from "../http/index.ts";
import { createMaintenance } from "../maintenance/index.ts";
import { noMetrics } from "../observability/index.ts";
import { createGatewayCore, type GatewayCore, type GatewayCoreOptions } from "./gateway-core.ts";

const PARTS = { hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger };
const bytes = randomBytes(100_000);

let store: ChunkStore;
let topology: Topology;
let metadata: MetadataStore;
const closers: Array<() => Promise<void>> = [];

beforeEach(() => {
  store = createMemoryChunkStore();
  topology = singleStoreTopology(store);
  metadata = createMemoryMetadataStore();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function coreOf(more: Partial<GatewayCoreOptions> = {}): GatewayCore {
  const core = createGatewayCore({
    ...{ ...PARTS, metadata, topology, metrics: noMetrics, softwareVersion: "test", insecure: true },
    ...more,
  });
  closers.push(() => core.close());
  return core;
}

function clientOf(options: Parameters<typeof gateway>[0]): ObjectClient {
  const client = createClient(gateway({ ...options, hasher: nodeCryptoHasher }));
  closers.push(() => client.close());
  return client;
}

async function roundTrip(client: ObjectClient): Promise<void> {
  await client.createBucket({ bucket: "photos" });
  await client.putObject({ bucket: "photos", key: "cat", body: bytes });
  const read = await (await client.getObject({ bucket: "photos", key: "cat" })).bytes();
  expect(bytes.equals(read)).toBe(true);
}

const statusOf = async (core: GatewayCore, path: string): Promise<number> =>
  (await core.fetch(new Request(`http://core${path}`))).status;

test("a core alone answers requests, with no port and nothing that runs by itself", async () => {
  const core = coreOf();
  await roundTrip(clientOf({ url: "http://core", transport: inProcessTransport({ fetch: core.fetch }) }));
  expect((await core.engine.headObject({ bucket: "photos", key: "cat" })).sizeBytes).toBe(bytes.byteLength);
});

test("a core is ready from its start to its stop, and answers afterwards until it is closed", async () => {
  const core = coreOf();
  expect(await statusOf(core, "/readyz")).toBe(503);
  core.start();
  expect(await statusOf(core, "/readyz")).toBe(200);
  core.stop();
  expect(await statusOf(core, "/readyz")).toBe(503);
  expect(await statusOf(core, "/objects")).toBe(200);
  await Promise.all([core.close(), core.close()]);
  await expect(store.stats()).rejects.toMatchObject({ code: "STORE_CLOSED" });
});

test("with operationsApart the main handler of a core does not answer health", async () => {
  const core = coreOf({ operationsApart: true });
  core.start();
  expect(await statusOf(core, "/readyz")).toBe(404);
});

test("ports of the app's own listen for a core", async () => {
  const core = coreOf();
  const ports = createServerPorts({ handlers: core.handlers, logger: silentLogger });
  closers.push(() => ports.close({ graceMs: 100 }));
  await roundTrip(clientOf({ url: (await ports.listen()).url }));
});

test("maintenance alone frees what was deleted through a core that does none", async () => {
  const core = coreOf();
  await roundTrip(clientOf({ url: "http://core", transport: inProcessTransport({ fetch: core.fetch }) }));
  await core.engine.deleteObject({ bucket: "photos", key: "cat" });
  const chunks = createReplicatedStore({ ...PARTS, topology });
  const worker = createMaintenance({
    ...{ ...PARTS, metadata, topology, chunks, metrics: noMetrics },
    ...{ graceMs: 0, claimTtlMs: 0 },
  });
  const before = await store.stats();
  const report = await worker.runOnce();
  expect([before.chunkCount, report.chunksDeleted, (await store.stats()).chunkCount]).toEqual([1, 1, 0]);
});
