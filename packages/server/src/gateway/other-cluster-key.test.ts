/** Nodes that do not let a gateway in, because their cluster key is another than the gateway's: the fault of the cluster, and of no client. */
import { randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, gateway } from "@ashlar/sdk";
import { createClusterTopology } from "@ashlar/sdk/engine";
import { type MetadataStore, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { expect, onTestFinished, test } from "vitest";
import { clusterAuthorization, createGrantKeeper } from "../grants/index.ts";
import { PROBE_MS } from "../http/answers-in-time.ts";
import { startTestCluster, type TestCluster } from "./testing/start-test-cluster.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

const HASHER = nodeCryptoHasher;

/** Time runs fast here, because a gateway retries its nodes for seconds; only a probe has its real time. */
const clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 100,
  sleep: (durationMs: number, options?: { readonly signal?: AbortSignal | undefined }) =>
    systemClock.sleep(durationMs === PROBE_MS ? durationMs : durationMs / 100, options),
};

async function clusterOf(
  metadata: MetadataStore,
  otherKeyNodeIds: readonly string[] = [],
): Promise<TestCluster & { readonly metadata: MetadataStore }> {
  const parts = { metadata, hasher: HASHER, transport: undiciTransport(), nodeCount: 3, otherKeyNodeIds };
  const cluster = await startTestCluster({ ...parts, openStore: () => createMemoryChunkStore() }, { clock });
  onTestFinished(() => cluster.close());
  return { ...cluster, metadata };
}

/** A gateway of the same cluster that was given another key. */
async function otherKeyGateway(metadata: MetadataStore): Promise<TestGateway> {
  const clusterKey = "another cluster key, of 32 letters or more";
  const keeper = createGrantKeeper({ clusterKey, clock: systemClock, random: systemRandom });
  const transport = undiciTransport();
  const authorization = clusterAuthorization(keeper, systemClock);
  const topology = createClusterTopology({ registry: metadata, transport, authorization, clock, logger: silentLogger });
  const started = await startTestGateway({ metadata, topology, hasher: HASHER }, { clusterKey, clock });
  onTestFinished(async () => {
    await started.close();
    await transport.close();
  });
  return started;
}

async function readiness(url: string): Promise<{ readonly status: number; readonly checks: object }> {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, checks: ((await answer.json()) as { readonly checks: object }).checks };
}

test.each([
  ["gateway", gateway],
  ["direct", direct],
] as const)("one such node costs a copy and is named by the gateway: %s", async (_name, seat) => {
  const cluster = await clusterOf(createMemoryMetadataStore(), ["node-3"]);
  const options = { url: cluster.url, apiKey: cluster.keys.admin, transport: undiciTransport(), hasher: HASHER };
  await using client = createClient(seat(options));
  await client.createBucket({ bucket: "photos" });
  expect(await readiness(cluster.url)).toEqual({
    status: 200,
    checks: { "node node-3": "another cluster key", metadata: "ok", gateway: "ok" },
  });
  const body = randomBytes(3_000_000);
  await client.putObject({ bucket: "photos", key: "key", body });
  const read = await (await client.getObject({ bucket: "photos", key: "key" })).bytes();
  expect(body.equals(read)).toBe(true);
});

test("a gateway that no node lets in is not ready, and blames no client: each answer is a whole 503", async () => {
  const metadata = createMemoryMetadataStore();
  const cluster = await clusterOf(metadata);
  const headers = { authorization: `Bearer ${cluster.keys.admin}` };
  const body = randomBytes(3_000_000);
  await fetch(`${cluster.url}/objects/photos`, { method: "PUT", headers });
  expect((await fetch(`${cluster.url}/objects/photos/key`, { method: "PUT", headers, body })).status).toBe(200);
  const { url } = await otherKeyGateway(metadata);
  const put = await fetch(`${url}/objects/photos/other`, { method: "PUT", headers, body: randomBytes(3_000_000) });
  const problem = (await put.json()) as { readonly code: string; readonly detail: string };
  expect([put.status, problem.code]).toEqual([503, "QUORUM_NOT_REACHED"]);
  expect(problem.detail).toMatch(/node-\d.*CLUSTER_KEY/);
  for (const range of [{}, { range: "bytes=5-10" }]) {
    const get = await fetch(`${url}/objects/photos/key`, { headers: { ...headers, ...range } });
    expect([get.status, await get.json()]).toMatchObject([503, { code: "NODE_UNAVAILABLE" }]);
  }
  expect((await fetch(`${url}/objects/photos/key`, { method: "HEAD", headers })).status).toBe(200);
  const checks = Object.fromEntries([1, 2, 3].map((index) => [`node node-${index}`, "another cluster key"]));
  expect(await readiness(url)).toEqual({ status: 503, checks: { ...checks, metadata: "ok", gateway: "ok" } });
  expect((await readiness(cluster.url)).status).toBe(200);
});

test("nodes that stopped are no longer reported to have another key", async () => {
  const metadata = createMemoryMetadataStore();
  const cluster = await clusterOf(metadata);
  const { url } = await otherKeyGateway(metadata);
  expect((await readiness(url)).status).toBe(503);
  for (const nodeId of cluster.nodeUrls.keys()) await cluster.stopNode(nodeId);
  await expect
    .poll(async () => (await readiness(url)).checks, { timeout: 20_000 })
    .toEqual({
      metadata: "ok",
      gateway: "ok",
    });
});
