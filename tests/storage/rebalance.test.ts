import { gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { digestFromBytes } from "@ashlar/sdk/hash";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";
import { afterEach, describe, expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster, type TestNode } from "../support/test-cluster.ts";

const CHUNK = 64 * KIB;
const SIZE = 2 * MIB;
const OBJECTS = 3;
const CHUNK_COUNT = (OBJECTS * SIZE) / CHUNK;
const KEYS = Array.from({ length: OBJECTS }, (_, index) => `object-${index}`);

let cluster: TestCluster;
let client: ObjectClient;

afterEach(async () => {
  await client.close();
  await cluster.close();
});

async function start(
  metadata: "memory" | "sqlite" | "postgres",
  nodeCount: number,
  reReplicateAfterMs = 0,
): Promise<void> {
  cluster = await startTestCluster({
    ...{ metadata, nodeCount, heartbeatIntervalMs: 100 },
    gateway: { maintenance: { repairIntervalMs: 100, collectIntervalMs: 3_600_000, reReplicateAfterMs } },
  });
  const { url, apiKey } = cluster;
  client = createClient(gateway({ url, apiKey, durability: "os", chunker: fixed(CHUNK) }));
  await client.createBucket({ bucket: "box" });
  for (const [seed, key] of KEYS.entries()) await client.putObject({ bucket: "box", key, body: testBytes(SIZE, seed) });
  await expect.poll(() => cluster.metadata.countRepairs(), { timeout: 30_000 }).toEqual([]);
}

const chunksOn = async (node: TestNode): Promise<number> => (await node.store.stats()).chunkCount;

async function held(node: TestNode): Promise<ReadonlySet<string>> {
  const { chunks } = await node.store.listChunks({});
  return new Set(chunks.map(({ chunkId }) => Buffer.from(chunkId).toString("hex")));
}

/** Waits until every chunk follows the newest layout. */
async function untilMoved(): Promise<Placement> {
  const snapshot = () => cluster.metadata.clusterSnapshot();
  await expect.poll(async () => (await snapshot()).layouts.length, { timeout: 60_000 }).toBe(1);
  const [newest] = (await snapshot()).layouts;
  expect(await cluster.metadata.countLayoutUse()).toEqual([
    { layoutVersion: newest!.layoutVersion, chunkCount: CHUNK_COUNT },
  ]);
  return createPlacement(newest!);
}

async function expectReadable(): Promise<void> {
  for (const [seed, key] of KEYS.entries()) {
    const got = await client.getObject({ bucket: "box", key });
    expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, seed)));
  }
}

/** Every node holds what the placement gives it, and nothing else. */
async function expectPlaced(placement: Placement): Promise<void> {
  const wanted = new Map(cluster.nodes.map(({ nodeId }) => [nodeId, new Set<string>()]));
  const all = new Set<string>();
  for (const node of cluster.nodes) for (const id of await held(node)) all.add(id);
  expect(all.size).toBe(CHUNK_COUNT);
  for (const id of all)
    for (const nodeId of placement.nodesOf(digestFromBytes(Buffer.from(id, "hex")))) wanted.get(nodeId)?.add(id);
  for (const node of cluster.nodes) expect(await held(node), node.nodeId).toEqual(wanted.get(node.nodeId));
}

describe.each(["memory", "sqlite", "postgres"] as const)(
  "after a change of the layout, with metadata in %s",
  (metadata) => {
    test("a node that joins gets its share, and the copies that moved go", { timeout: 120_000 }, async () => {
      await start(metadata, 3);
      const added = await cluster.addNode();
      const placement = await untilMoved();
      const share = await chunksOn(added);
      expect(share).toBeGreaterThan(CHUNK_COUNT / 2);
      // Copies that were claimed lately stay: an upload may count on them.
      expect(await cluster.collect()).toMatchObject({ staleCopiesDeleted: 0, orphansDeleted: 0 });
      expect(await cluster.collect({ claimTtlMs: 0 })).toMatchObject({ staleCopiesDeleted: share, orphansDeleted: 0 });
      await expectPlaced(placement);
      await expectReadable();
    });

    test("chunks of deleted objects keep no old layout in use while they wait to be collected", {
      timeout: 120_000,
    }, async () => {
      await start(metadata, 4);
      await client.putObject({ bucket: "box", key: "gone", body: testBytes(SIZE, 99) });
      await client.deleteObject({ bucket: "box", key: "gone" });
      // They were claimed lately, so no collection frees them today.
      expect(await cluster.collect({ graceMs: 0 })).toMatchObject({ chunksDeleted: 0, chunksKept: SIZE / CHUNK });
      const drained = cluster.nodes[0]!;
      await cluster.metadata.changeLayout({ weights: { [drained.nodeId]: 0 } });
      const placement = await untilMoved();
      await drained.stop();
      await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
      await drained.start();
      cluster.topology.invalidate();
      await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
      await expectPlaced(placement);
      await expectReadable();
    });

    test("clients are told what is left to do, and that nothing is left in the end", { timeout: 120_000 }, async () => {
      await start(metadata, 4);
      const left = async () => (await client.cluster()).work;
      await expect
        .poll(left, { timeout: 30_000 })
        .toMatchObject({ layoutsInUse: 1, chunksBehind: 0, copiesWaiting: 0 });
      // It joins, and nobody answers there: what belongs on it stays behind.
      const startedAtMs = Date.now();
      const ghost = { nodeId: "ghost", url: "http://127.0.0.1:1", softwareVersion: "1" };
      await cluster.metadata.registerNode(ghost);
      await expect.poll(async () => (await left())?.chunksBehind, { timeout: 30_000 }).toBeGreaterThan(0);
      const seen = (await left())!;
      expect(seen.layoutsInUse).toBe(2);
      expect(seen.chunksBehind).toBeLessThanOrEqual(CHUNK_COUNT);
      expect(seen.countedAtMs).toBeGreaterThanOrEqual(startedAtMs);
      await cluster.metadata.changeLayout({ removeNodeIds: ["ghost"] });
      await untilMoved();
      await expect.poll(left, { timeout: 30_000 }).toMatchObject({ layoutsInUse: 1, chunksBehind: 0 });
      expect((await left())?.expectedEndAtMs).toBeUndefined();
    });

    test("a node that was forgotten while chunks followed its layout comes back, and everything is where it belongs", {
      timeout: 120_000,
    }, async () => {
      await start(metadata, 4);
      const gone = cluster.nodes[3]!;
      await gone.stop();
      await cluster.metadata.changeLayout({ removeNodeIds: [gone.nodeId] });
      await cluster.metadata.changeLayout({ forgetNodeIds: [gone.nodeId], acceptLoss: true });
      cluster.topology.invalidate();
      await expectReadable();
      await gone.start();
      await untilMoved();
      const lostDisk = async () =>
        (await cluster.metadata.clusterSnapshot()).nodes.find((node) => node.lostDisk)?.nodeId;
      await expect.poll(lostDisk, { timeout: 60_000 }).toBeUndefined();
      await expect.poll(() => cluster.metadata.countRepairs(), { timeout: 60_000 }).toEqual([]);
      const placement = await untilMoved();
      await cluster.collect({ claimTtlMs: 0 });
      await expectPlaced(placement);
      await expectReadable();
    });

    test("a node of weight 0 ends with nothing, and can go", { timeout: 120_000 }, async () => {
      await start(metadata, 4);
      const drained = cluster.nodes[0]!;
      const before = await chunksOn(drained);
      expect(before).toBeGreaterThan(0);
      await cluster.metadata.changeLayout({ weights: { [drained.nodeId]: 0 } });
      const placement = await untilMoved();
      await cluster.collect({ claimTtlMs: 0 });
      expect(await chunksOn(drained)).toBe(0);
      await expectPlaced(placement);
      await drained.stop();
      await expectReadable();
    });
  },
);

describe.each(["memory", "sqlite", "postgres"] as const)("a node that stays away, with metadata in %s", (metadata) => {
  test("is replaced: its copies are made on others, and go home when it is back", { timeout: 120_000 }, async () => {
    await start(metadata, 5, 500);
    const gone = cluster.nodes[4]!;
    const before = await held(gone);
    await gone.stop();
    await expect
      .poll(async () => (await cluster.metadata.clusterSnapshot()).layouts[0]?.nodes.length, { timeout: 30_000 })
      .toBe(4);
    const placement = await untilMoved();
    for (const id of before) expect(placement.nodesOf(digestFromBytes(Buffer.from(id, "hex")))).toHaveLength(3);
    const others = cluster.nodes.filter((node) => node !== gone);
    const copies = new Map<string, number>();
    for (const node of others) for (const id of await held(node)) copies.set(id, (copies.get(id) ?? 0) + 1);
    expect(copies.size).toBe(CHUNK_COUNT);
    expect(Math.min(...copies.values())).toBe(3);
    await expectReadable();
    await gone.start();
    await expect.poll(async () => (await cluster.metadata.clusterSnapshot()).layouts[0]?.nodes.length).toBe(5);
    await untilMoved();
    // It had its copies still: none was written again.
    expect(await held(gone)).toEqual(before);
    await cluster.collect({ claimTtlMs: 0 });
    await expectPlaced(await untilMoved());
    await expectReadable();
  });
});

describe("copies that no layout wants", () => {
  test("save a chunk whose other copies are lost", { timeout: 120_000 }, async () => {
    await start("memory", 3);
    await cluster.addNode();
    const placement = await untilMoved();
    // A view from before would look in the older places too.
    await expect.poll(async () => (await cluster.topology.view!.layoutsInUse()).length).toBe(1);
    const [layoutUse] = await cluster.metadata.countLayoutUse();
    const stray = new Map<string, TestNode>();
    for (const node of cluster.nodes)
      for (const id of await held(node))
        if (!placement.nodesOf(digestFromBytes(Buffer.from(id, "hex"))).includes(node.nodeId)) stray.set(id, node);
    const [id] = stray.keys();
    const chunkId = digestFromBytes(Buffer.from(id!, "hex"));
    const wanted = placement.nodesOf(chunkId);
    for (const node of cluster.nodes)
      if (wanted.includes(node.nodeId)) await node.store.deleteChunks([chunkId], { unclaimedForMs: 0 });
    const { layoutVersion } = layoutUse!;
    await cluster.metadata.queueRepairs(wanted.map((nodeId) => ({ chunkId, nodeId, layoutVersions: [layoutVersion] })));
    await expect.poll(() => cluster.metadata.countRepairs(), { timeout: 30_000 }).toEqual([]);
    for (const node of cluster.nodes) if (wanted.includes(node.nodeId)) expect(await held(node)).toContain(id);
    await expectReadable();
  });

  test("stay while a node with another copy is away, or has lost it", { timeout: 120_000 }, async () => {
    await start("memory", 3);
    const added = await cluster.addNode();
    await untilMoved();
    const other = cluster.nodes[1]!;
    await other.stop();
    await expect
      .poll(async () => (await client.cluster()).nodes.find(({ nodeId }) => nodeId === other.nodeId)?.state)
      .toBe("stopped");
    cluster.topology.invalidate();
    const { staleCopiesDeleted } = await cluster.collect({ claimTtlMs: 0 });
    // Only chunks that need nothing of the node that is away.
    expect(staleCopiesDeleted).toBeLessThan(await chunksOn(added));
    await other.start();
    await expectReadable();
  });
});
