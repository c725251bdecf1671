import { readdir, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterEach, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster, type TestClusterOptions } from "../support/test-cluster.ts";

const CHUNK = 128 * KIB;
const SIZE = 4 * MIB;

let cluster: TestCluster;
let client: ObjectClient;

async function start(options: TestClusterOptions = {}): Promise<void> {
  cluster = await startTestCluster({ heartbeatIntervalMs: 100, ...options });
  const { url, apiKey } = cluster;
  client = createClient(gateway({ url, apiKey, durability: "os", chunker: fixed(CHUNK) }));
  await client.createBucket({ bucket: "box" });
}

afterEach(async () => {
  await client.close();
  await cluster.close();
});

const ref = (key: string): { bucket: string; key: string } => ({ bucket: "box", key });

/**
 * Puts, and gives every node what it missed. The gateway does not wait for a node that is a little late, and then ignores it for a while: on a busy
 * machine, even many puts may not reach all three.
 */
async function putEverywhere(key: string, seed: number): Promise<void> {
  const { replicas } = await client.putObject({ ...ref(key), body: testBytes(SIZE, seed) });
  const missed = await cluster.metadata.listRepairs({ limit: SIZE / CHUNK });
  expect(replicas).toBe(missed.length === 0 ? 3 : 2);
  await cluster.repair();
  expect(await cluster.metadata.listRepairs({ limit: 1 })).toEqual([]);
}

async function expectReadable(key: string, seed: number): Promise<void> {
  const got = await client.getObject(ref(key));
  expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, seed)));
}

const stateOf = async (nodeId: string): Promise<string | undefined> =>
  (await client.cluster()).nodes.find((node) => node.nodeId === nodeId)?.state;

describe("a node that registers", { timeout: 60_000 }, () => {
  test("is up, joins the layout by itself, and takes its share", async () => {
    await start();
    const { nodes, layouts } = await client.cluster();
    expect(nodes.map((node) => [node.nodeId, node.state])).toEqual([
      ["node-1", "up"],
      ["node-2", "up"],
      ["node-3", "up"],
    ]);
    expect(layouts[0]!.nodes.map((node) => node.nodeId)).toEqual(["node-1", "node-2", "node-3"]);
    await putEverywhere("a", 1);
    for (const node of cluster.nodes) expect((await node.store.stats()).chunkCount).toBe(SIZE / CHUNK);
  });

  test("later joins too: old objects stay readable, new chunks are spread over all", async () => {
    await start();
    await putEverywhere("old", 1);
    const before = (await client.cluster()).layouts[0]!.layoutVersion;
    for (let count = 0; count < 3; count++) await cluster.addNode();
    const { layouts } = await client.cluster();
    expect(layouts[0]!.layoutVersion).toBeGreaterThan(before);
    expect(layouts[0]!.nodes).toHaveLength(6);
    // The layout that the old object needs is still known.
    expect(layouts.some((layout) => layout.nodes.length === 3)).toBe(true);
    cluster.topology.invalidate();
    await putEverywhere("new", 2);
    for (const node of cluster.nodes.slice(3)) expect((await node.store.stats()).chunkCount).toBeGreaterThan(0);
    await expectReadable("old", 1);
    await expectReadable("new", 2);
    const other = createClient(direct({ url: cluster.url, apiKey: cluster.apiKey }));
    expect(await (await other.getObject(ref("old"))).bytes()).toEqual(testBytes(SIZE, 1));
    await other.close();
  });
});

describe("a client that was idle while six nodes came", { timeout: 60_000 }, () => {
  test.each([
    ["gateway", gateway],
    ["direct", direct],
  ] as const)("finds at once what others wrote meanwhile: %s", async (_, seat) => {
    await start();
    await putEverywhere("old", 1);
    const options = { url: cluster.url, apiKey: cluster.apiKey, chunker: fixed(CHUNK), retry: { forMs: 0 } };
    await using idle = createClient(seat({ ...options, durability: "os", refreshAfterMs: 3_600_000 }));
    expect(await (await idle.getObject(ref("old"))).bytes()).toEqual(testBytes(SIZE, 1));
    // Nothing is left that names the first layout.
    await client.deleteObject(ref("old"));
    await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
    for (let count = 0; count < 6; count++) await cluster.addNode();
    cluster.topology.invalidate();
    await putEverywhere("new", 2);
    const bytes = testBytes(SIZE, 2);
    expect(await idle.headObject(ref("new"))).toMatchObject({ sizeBytes: SIZE });
    const range = { offset: SIZE - CHUNK - 1000, length: CHUNK };
    expect(await (await idle.getObject({ ...ref("new"), range })).bytes()).toEqual(
      bytes.subarray(range.offset, range.offset + CHUNK),
    );
    expect(await (await idle.getObject(ref("new"))).bytes()).toEqual(bytes);
    // An upload of the same bytes finds them too.
    const again = await idle.putObject({ ...ref("again"), body: bytes });
    expect(again.deduplicatedBytes).toBe(SIZE);
    expect(await (await idle.getObject(ref("again"))).bytes()).toEqual(bytes);
  });
});

describe("a node that restarts", { timeout: 60_000 }, () => {
  test("with its data has its chunks, and is found at its new address", async () => {
    await start();
    await putEverywhere("a", 1);
    for (const node of cluster.nodes) {
      const before = node.url;
      await node.stop();
      await node.start();
      expect(node.url).not.toBe(before);
      expect((await node.store.stats()).chunkCount).toBe(SIZE / CHUNK);
    }
    await expectReadable("a", 1);
    await putEverywhere("b", 2);
  });

  test("with an empty disk costs no object: the others answer", async () => {
    await start();
    await putEverywhere("a", 1);
    const [lost] = cluster.nodes;
    await lost!.stop();
    await rm(lost!.path!, { recursive: true });
    await lost!.start();
    expect((await lost!.store.stats()).chunkCount).toBe(0);
    await expectReadable("a", 1);
  });
});

describe.skipIf(process.platform === "win32")("a node with a bad entry in its folder", { timeout: 60_000 }, () => {
  test("starts, serves all other chunks, names it, and has the chunk again after a put", async () => {
    await start();
    await putEverywhere("a", 1);
    const [node] = cluster.nodes;
    await node!.stop();
    const names = await readdir(join(node!.path!, "chunks"), { recursive: true });
    const entry = join("chunks", names.find((name) => /[0-9a-f]{64}$/.test(name))!);
    await rm(join(node!.path!, entry));
    await symlink(basename(entry), join(node!.path!, entry));
    await node!.start();
    expect(await node!.store.stats()).toMatchObject({ chunkCount: SIZE / CHUNK - 1, badEntries: [{ path: entry }] });
    await expectReadable("a", 1);
    await putEverywhere("b", 1);
    expect(await node!.store.stats()).toMatchObject({ chunkCount: SIZE / CHUNK });
  });
});

describe("a node that stops in order and comes back", { timeout: 60_000 }, () => {
  test("is stopped, stays in the layout, and gets what it missed", async () => {
    await start({ gateway: { maintenance: { repairIntervalMs: 200 } } });
    await putEverywhere("before", 1);
    const node = cluster.nodes[1]!;
    await node.stop();
    expect(await stateOf("node-2")).toBe("stopped");
    expect((await client.cluster()).layouts[0]!.nodes).toHaveLength(3);
    const put = await client.putObject({ ...ref("meanwhile"), body: testBytes(SIZE, 2) });
    expect(put.replicas).toBe(2);
    await expectReadable("meanwhile", 2);
    await node.start();
    expect(await stateOf("node-2")).toBe("up");
    await expect.poll(async () => (await node.store.stats()).chunkCount).toBe((2 * SIZE) / CHUNK);
    await expect.poll(async () => (await cluster.metadata.listRepairs({ limit: 1 })).length).toBe(0);
    // The copies that were made later are good: only they answer now.
    await cluster.nodes[0]!.stop();
    await cluster.nodes[2]!.stop();
    await expectReadable("meanwhile", 2);
  });
});

describe("a database that is away", { timeout: 60_000 }, () => {
  test("is reported as METADATA_UNAVAILABLE; when it is back, all goes on, and the nodes are up", async () => {
    await start({ metadata: "postgres", metadataProxied: true });
    await putEverywhere("a", 1);
    const proxy = cluster.metadataProxy!;
    proxy.stop();
    // The other clients here retry as long as an app's, until the database is back.
    await using impatient = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey, retry: { forMs: 0 } }));
    await expectCode(impatient.headObject(ref("a")), "METADATA_UNAVAILABLE");
    proxy.resume();
    await expectReadable("a", 1);
    await putEverywhere("b", 2);
    for (const { nodeId } of cluster.nodes) await expect.poll(() => stateOf(nodeId)).toBe("up");
  });

  test("and comes back empty: the nodes register again by themselves", async () => {
    await start({ metadata: "postgres" });
    const rows = async (): Promise<ReadonlyMap<string, number>> => {
      const { nodes } = await cluster.metadata.clusterSnapshot();
      return new Map(nodes.map(({ nodeId, registeredAtMs }) => [nodeId, registeredAtMs]));
    };
    const before = await rows();
    await cluster.metadataQuery!("DELETE FROM hash_ring_nodes; DELETE FROM storage_servers");
    // Does not check that they are gone first: a heartbeat may come before our query.
    await expect
      .poll(async () => [...(await rows())].filter(([nodeId, atMs]) => atMs > (before.get(nodeId) ?? 0)).length)
      .toBe(3);
    await putEverywhere("a", 1);
    await expectReadable("a", 1);
  });
});

describe("files that no row knows", { timeout: 60_000 }, () => {
  test("are swept when they are old enough; what objects and open uploads name stays", async () => {
    await start();
    await putEverywhere("kept", 1);
    const { uploadId } = await client.createUpload(ref("parts"));
    const part = await client.writePart({ uploadId, partNumber: 1, body: testBytes(SIZE, 2) });
    // The chunks of a client that died before its commit.
    const orphan = await import("node:crypto").then((crypto) => crypto.createHash("sha256").update("orphan").digest());
    for (const node of cluster.nodes) await node.store.putChunk(orphan as never, new TextEncoder().encode("orphan"));
    expect(await cluster.collect({ graceMs: 0 })).toMatchObject({ orphansDeleted: 0, chunksDeleted: 0 });
    expect(await cluster.collect({ graceMs: 0, claimTtlMs: 0 })).toMatchObject({ orphansDeleted: 3, chunksDeleted: 0 });
    await expectReadable("kept", 1);
    await client.completeUpload({ uploadId, parts: [part] });
    await expectReadable("parts", 2);
  });

  test("and chunks whose last object was deleted are freed; shared ones stay", async () => {
    await start();
    await putEverywhere("a", 1);
    await putEverywhere("b", 1);
    await putEverywhere("c", 3);
    await client.deleteObject(ref("a"));
    await client.deleteObject(ref("c"));
    // The first run releases what the overwritten and deleted objects named, in any order.
    const report = await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
    expect(report.chunksDeleted).toBe(SIZE / CHUNK);
    await expectReadable("b", 1);
    for (const node of cluster.nodes) expect((await node.store.stats()).chunkCount).toBe(SIZE / CHUNK);
  });
});

describe("a damaged chunk", { timeout: 60_000 }, () => {
  test("on one node is read from another", async () => {
    await start();
    await putEverywhere("a", 1);
    const { readFile, writeFile } = await import("node:fs/promises");
    const folder = join(cluster.nodes[0]!.path!, "chunks");
    let damaged = 0;
    for (const name of await readdir(folder, { recursive: true })) {
      if (!/[0-9a-f]{64}$/.test(name)) continue;
      const file = join(folder, name);
      const bytes = await readFile(file);
      bytes[1000]! ^= 1;
      await writeFile(file, bytes);
      damaged++;
    }
    expect(damaged).toBe(SIZE / CHUNK);
    await expectReadable("a", 1);
  });
});
