import { open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient } from "@ashlar/sdk";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import type { ScrubProgress, ScrubRecord } from "@ashlar/sdk/ports";
import { createPlacement } from "@ashlar/sdk/ring";
import { testChunks } from "@ashlar/sdk/testing";
import { createMetrics, type Metrics } from "@ashlar/server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster, type TestNode } from "../support/test-cluster.ts";

const PATIENCE = { timeout: 60_000, interval: 50 };
/** Each pass begins a second after the one before. */
const ALL_THE_TIME = { scrubPeriodMs: 1000, scrubBytesPerSecond: 1024 ** 3 };
const SIZE_BYTES = 300_000;

function pathOf(folder: string, id: string): string {
  return join(folder, "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

async function flipBit(path: string, position: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = byte[0]! ^ 0x10;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

async function figure(metrics: Metrics, series: string): Promise<number> {
  const { text } = await metrics.render();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

async function chunksOf({ store }: TestNode): Promise<readonly Digest[]> {
  return (await store.listChunks()).chunks.map(({ chunkId }) => chunkId);
}

/** A cluster that heals itself, and how many damaged files the scrub of each node found. */
async function startHealingCluster(
  options: Parameters<typeof startTestCluster>[0] = {},
): Promise<TestCluster & { damagedOn(nodeId: string): Promise<number> }> {
  const metrics = new Map<string, Metrics>();
  const cluster = await startTestCluster({
    nodeCount: 3,
    metadata: "sqlite",
    heartbeatIntervalMs: 200,
    scrub: ALL_THE_TIME,
    nodeMetrics: (nodeId) => {
      const made = createMetrics({ processMetrics: false });
      metrics.set(nodeId, made);
      return made;
    },
    gateway: { maintenance: { repairIntervalMs: 200 } },
    ...options,
  });
  onTestFinished(() => cluster.close());
  const damagedOn = (nodeId: string): Promise<number> =>
    figure(metrics.get(nodeId)!, 'ashlar_scrub_faults_total{fault="damaged"}');
  return { ...cluster, damagedOn };
}

async function putOne(cluster: TestCluster): Promise<Uint8Array> {
  await using client = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey }));
  await client.createBucket({ bucket: "box" });
  const body = testBytes(SIZE_BYTES, 4);
  await client.putObject({ bucket: "box", key: "a", body });
  return body;
}

test("a copy that a direct client misses comes back: the client finds another, and the node tells the registry", async () => {
  const cluster = await startHealingCluster({ scrub: false });
  const body = await putOne(cluster);
  for (const node of cluster.nodes)
    await vi.waitFor(async () => expect(await chunksOf(node)).toHaveLength(1), PATIENCE);
  const [chunkId] = await chunksOf(cluster.nodes[0]!);
  const [layout] = (await cluster.metadata.clusterSnapshot()).layouts;
  const [first] = createPlacement(layout!).nodesOf(chunkId!);
  const path = pathOf(cluster.nodes.find(({ nodeId }) => nodeId === first)!.path!, encodeHex(chunkId!));
  const sound = await readFile(path);
  await rm(path);
  await using client = createClient(direct({ url: cluster.url, apiKey: cluster.apiKey }));
  expect(await (await client.getObject({ bucket: "box", key: "a" })).bytes()).toEqual(body);
  await vi.waitFor(async () => expect(await readFile(path)).toEqual(sound), PATIENCE);
});

describe("a bit that flipped on the disk of a node", () => {
  test("is found by its scrub: the file is put aside, and the copy comes back from another node, byte for byte", async () => {
    const cluster = await startHealingCluster();
    const body = await putOne(cluster);
    const node = cluster.nodes[1]!;
    const [chunkId] = await vi.waitFor(async () => {
      const found = await chunksOf(node);
      expect(found).toHaveLength(1);
      return found;
    }, PATIENCE);
    const path = pathOf(node.path!, encodeHex(chunkId!));
    const sound = await readFile(path);
    await flipBit(path, 12_345);
    const damaged = await readFile(path);
    await vi.waitFor(async () => {
      expect(await cluster.damagedOn(node.nodeId)).toBe(1);
      expect(await readFile(path)).toEqual(sound);
    }, PATIENCE);
    const [aside, ...others] = await readdir(join(node.path!, "quarantine"));
    expect(others).toEqual([]);
    expect(await readFile(join(node.path!, "quarantine", aside!))).toEqual(damaged);
    // No further pass finds anything, and nothing waits for repair.
    await vi.waitFor(async () => expect(await cluster.metadata.countRepairs()).toEqual([]), PATIENCE);
    for (const { nodeId } of cluster.nodes)
      expect(await cluster.damagedOn(nodeId)).toBe(nodeId === node.nodeId ? 1 : 0);
    await using client = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey }));
    expect(await (await client.getObject({ bucket: "box", key: "a" })).bytes()).toEqual(body);
  });

  test("is repaired too if a reader or another process put it aside, and if the registry was away then", async () => {
    // Its own scrub is off: whoever finds the damage, the node tells it.
    const cluster = await startHealingCluster({ scrub: false });
    await putOne(cluster);
    const node = cluster.nodes[2]!;
    const [chunkId] = await vi.waitFor(async () => {
      const found = await chunksOf(node);
      expect(found).toHaveLength(1);
      return found;
    }, PATIENCE);
    const path = pathOf(node.path!, encodeHex(chunkId!));
    const sound = await readFile(path);
    await node.stop();
    await flipBit(path, 12_345);
    const other = await openFsChunkStore({ path: node.path!, durability: "os" });
    expect(await other.scrubChunk(chunkId!)).toMatchObject({ state: "damaged" });
    await other.close();
    await node.start();
    await vi.waitFor(async () => expect(await readFile(path)).toEqual(sound), PATIENCE);
  });
});

test("a node that is killed in the middle of a pass goes on where it was", { timeout: 180_000 }, async () => {
  await using folder = await createTempFolder();
  const path = folder.at("node");
  const store = await openFsChunkStore({ path, durability: "os" });
  const made = await testChunks(40, 10_000);
  for (const { chunkId, bytes } of made) await store.putChunk(chunkId, bytes);
  const ids = made.map(({ chunkId }) => encodeHex(chunkId)).sort();
  const record = async (): Promise<ScrubRecord | undefined> => await store.readScrubRecord();
  const start = (rate: string) =>
    startServerProcess([
      ...[
        "node",
        "--server-id",
        "n1",
        "--data-dir",
        path,
        "--port",
        "0",
        "--insecure",
        "--gateway",
        "http://127.0.0.1:9",
      ],
      ...["--scrub-period", "100s", "--scrub-rate", rate],
    ]);
  // One file in a second or so.
  const slow = await start("64KiB");
  let saved: ScrubProgress | undefined;
  await vi.waitFor(async () => {
    saved = (await record())?.current;
    expect(saved?.chunkCount ?? 0).toBeGreaterThan(2);
  }, PATIENCE);
  await slow.kill();
  const { startedAtMs, chunkCount, lastChunkId } = (await record())!.current!;
  expect(lastChunkId).toBe(ids[chunkCount - 1]);
  expect(chunkCount).toBeLessThan(ids.length);
  const fast = await start("100MiB");
  try {
    await vi.waitFor(async () => expect((await record())?.last).toBeDefined(), PATIENCE);
    expect((await record())?.last).toMatchObject({ startedAtMs, chunkCount: ids.length, damagedCount: 0 });
    const page = await (await fetch(`${fast.url}/metrics`)).text();
    expect(page).toContain(`\nashlar_scrub_chunks_total ${ids.length - chunkCount}\n`);
  } finally {
    await fast.stop();
    await store.close();
  }
});

test("nodes that register through a gateway tell it: processes of the command line heal a flipped bit", {
  timeout: 300_000,
}, async () => {
  await using folder = await createTempFolder();
  const key = { CLUSTER_KEY: "the tests' own cluster key, 32 characters" };
  await using servers = new AsyncDisposableStack();
  const start = async (...args: readonly string[]) => {
    const server = await startServerProcess([...args, "--port", "0"], key);
    servers.defer(() => server.kill());
    return server;
  };
  const { url, ready } = await start("gateway", "--path", folder.at("metadata"));
  const names = ["n1", "n2", "n3"];
  const scrubbing = ["--gateway", url, "--heartbeat-interval", "300", "--scrub-period", "2s"];
  await Promise.all(
    names.map((name) => start("node", "--server-id", name, "--data-dir", folder.at(name), ...scrubbing)),
  );
  await using client = createClient(gateway({ url, apiKey: String(ready.apiKey) }));
  await client.createBucket({ bucket: "box" });
  await client.putObject({ bucket: "box", key: "a", body: testBytes(SIZE_BYTES, 4) });
  const holder = await vi.waitFor(async () => {
    for (const name of names) {
      const files = await readdir(join(folder.at(name), "chunks"), { recursive: true }).catch(() => []);
      const file = files.find((each) => /[0-9a-f]{64}$/.test(each));
      if (file !== undefined) return join(folder.at(name), "chunks", file);
    }
    throw new Error("no node has the chunk yet");
  }, PATIENCE);
  const sound = await readFile(holder);
  await flipBit(holder, 12_345);
  // A gateway repairs every half minute.
  const patience = { timeout: 180_000, interval: 100 };
  await vi.waitFor(async () => expect(await readFile(holder)).toEqual(sound), patience);
});
