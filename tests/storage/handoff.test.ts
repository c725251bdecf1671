import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { digestFromBytes } from "@ashlar/sdk/hash";
import { createPlacement } from "@ashlar/sdk/ring";
import { afterEach, describe, expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster, type TestClusterOptions, type TestNode } from "../support/test-cluster.ts";

const CHUNK = 64 * KIB;
const SIZE = 2 * MIB;

let cluster: TestCluster;
const SEATS = ["gateway", "direct"] as const;
let seats: Record<(typeof SEATS)[number], ObjectClient>;

afterEach(async () => {
  for (const seat of SEATS) await seats[seat].close();
  await cluster.close();
});

async function start(options: TestClusterOptions = {}): Promise<void> {
  cluster = await startTestCluster({
    ...{ nodeCount: 6, heartbeatIntervalMs: 100, ...options },
    gateway: { maintenance: { repairIntervalMs: 100, collectIntervalMs: 3_600_000, reReplicateAfterMs: 0 } },
  });
  const { url, apiKey } = cluster;
  const common = { url, apiKey, durability: "os", chunker: fixed(CHUNK) } as const;
  seats = { gateway: createClient(gateway(common)), direct: createClient(direct(common)) };
  await seats.gateway.createBucket({ bucket: "box" });
}

/** Writes an object with each seat. @returns the keys. */
async function write(name: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const [seed, seat] of SEATS.entries()) {
    const key = `${name}-${seat}`;
    await seats[seat].putObject({ bucket: "box", key, body: testBytes(SIZE, seedOf(key) + seed) });
    keys.push(key);
  }
  return keys;
}

const seedOf = (key: string): number => [...key].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 10_000;

async function expectReadable(keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const seed = seedOf(key) + SEATS.findIndex((seat) => key.endsWith(seat));
    for (const seat of SEATS) {
      const got = await seats[seat].getObject({ bucket: "box", key });
      expect(sha256Hex(await got.bytes()), `${key} by ${seat}`).toBe(sha256Hex(testBytes(SIZE, seed)));
    }
  }
}

async function held(node: TestNode): Promise<readonly string[]> {
  const { chunks } = await node.store.listChunks({});
  return chunks.map(({ chunkId }) => Buffer.from(chunkId).toString("hex"));
}

/** The chunks that live nodes hold which the placement names for others. */
async function standIns(): Promise<number> {
  const [layout] = (await cluster.metadata.clusterSnapshot()).layouts;
  const placement = createPlacement(layout!);
  const misplaced = await Promise.all(
    cluster.nodes.map(async (node) => {
      const ids = await held(node).catch(() => []);
      return ids.filter((id) => !placement.nodesOf(digestFromBytes(Buffer.from(id, "hex"))).includes(node.nodeId));
    }),
  );
  return misplaced.flat().length;
}

/** Every node holds what the placement gives it and nothing else, and nothing waits. */
async function expectHealed(): Promise<void> {
  await expect.poll(() => cluster.metadata.countRepairs(), { timeout: 60_000 }).toEqual([]);
  cluster.topology.invalidate();
  await cluster.collect({ claimTtlMs: 0 });
  expect(await standIns()).toBe(0);
  const { held: copies, chunkCount } = await cluster.metadata.countCopies({ limit: 100_000 });
  expect(copies).toEqual([0, 0, 0, chunkCount]);
}

const stop = (nodes: readonly TestNode[]): Promise<unknown> => Promise.all(nodes.map((node) => node.stop()));
const restart = (nodes: readonly TestNode[]): Promise<unknown> => Promise.all(nodes.map((node) => node.start()));

describe.each(["memory", "sqlite", "postgres"] as const)("with two of six nodes down, metadata in %s", (metadata) => {
  test("writes and reads go on in every seat, and the copies go home", { timeout: 120_000 }, async () => {
    await start({ metadata });
    // Every client knows the cluster as it was.
    const keys = [...(await write("before"))];
    const down = cluster.nodes.slice(0, 2);
    await stop(down);
    const during = await write("during");
    keys.push(...during);
    expect(await standIns()).toBeGreaterThan(0);
    const { held: copies } = await cluster.metadata.countCopies({ limit: 100_000 });
    // The copies of stand-ins count: no chunk has one copy only.
    expect(copies.slice(0, 2)).toEqual([0, 0]);
    await expectReadable(keys);
    // With a third node away, the copies of some chunks are with stand-ins alone.
    const third = cluster.nodes.slice(2, 3);
    await stop(third);
    await expectReadable(during);
    await restart([...down, ...third]);
    await expectHealed();
    await expectReadable(keys);
  });
});

test("nodes that nobody knows to be down yet are replaced as soon as they do not answer", {
  timeout: 120_000,
}, async () => {
  await start({ proxied: true });
  const keys = [...(await write("before"))];
  const cut = cluster.nodes.slice(2, 4);
  // Their heartbeats go on: for the registry they are up.
  for (const node of cut) node.proxy!.stop();
  keys.push(...(await write("during")));
  expect(await standIns()).toBeGreaterThan(0);
  expect((await cluster.metadata.clusterSnapshot()).nodes.map(({ state }) => state)).toEqual(Array(6).fill("up"));
  await expectReadable(keys);
});

test("a whole zone can be down, also where a chunk has two of its copies there", { timeout: 120_000 }, async () => {
  await start({ zoneOf: (nodeId) => (Number(nodeId.at(-1)) <= 3 ? "east" : "west") });
  const keys = [...(await write("before"))];
  const east = cluster.nodes.slice(0, 3);
  await stop(east);
  keys.push(...(await write("during")));
  expect(await standIns()).toBeGreaterThan(0);
  await expectReadable(keys);
  await restart(east);
  await expectHealed();
  await expectReadable(keys);
});
