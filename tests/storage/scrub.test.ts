import { mkdir, open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gateway } from "@ashlar/adapters/node";
import { createClient } from "@ashlar/sdk";
import { type Digest, decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
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
});
