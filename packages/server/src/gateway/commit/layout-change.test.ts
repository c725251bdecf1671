/** Uploads during which the layout changes, also more than once: until they are committed, nothing names the layout under which they began. */
import { createHash, randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, KIB } from "@ashlar/sdk";
import { bytesEqual, digestFromBytes } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { createPlacement } from "@ashlar/sdk/ring";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { expect, onTestFinished, test } from "vitest";
import type { GatewayOptions } from "../create-gateway.ts";
import { codeOf, type DirectClient, directClient } from "../testing/direct-client.ts";
import { startTestCluster } from "../testing/start-test-cluster.ts";

const BUCKET = "box";

async function prepare(replicationFactor = 3, options?: Partial<GatewayOptions>) {
  const metadata = createMemoryMetadataStore({ replicationFactor });
  const cluster = await startTestCluster(
    {
      metadata,
      hasher: nodeCryptoHasher,
      transport: undiciTransport(),
      nodeCount: 4,
      openStore: () => createMemoryChunkStore(),
    },
    options,
  );
  onTestFinished(() => cluster.close());
  const signed = directClient(cluster);
  const app = createClient(gateway({ url: cluster.url, apiKey: cluster.keys.readwrite, transport: httpTransport() }));
  onTestFinished(() => app.close());
  await app.createBucket({ bucket: BUCKET });
  return { metadata, cluster, signed, app };
}

/** With two copies of each chunk: the layout has either the first two nodes or the other two. */
function halvesOf(layouts: { changeLayout(change: { weights: Record<string, number> }): Promise<unknown> }) {
  return (half: 0 | 1): Promise<unknown> => {
    const weights = { "node-1": 1 - half, "node-2": 1 - half, "node-3": half, "node-4": half };
    return layouts.changeLayout({ weights });
  };
}

/** Stores one chunk of 1,000 bytes where the newest layout wants it, or through the gateway. */
async function upload(signed: DirectClient, grant: string, through: "nodes" | "gateway") {
  const bytes = randomBytes(1000);
  const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
  const placement = await signed.nodesOf(chunkId);
  const receipts = await signed.upload(bytes, chunkId, grant, through === "nodes" ? placement : ["gateway"]);
  return { bytes, placement, chunk: { chunkId, sizeBytes: 1000n, receipts } };
}

test.each(["nodes", "gateway"] as const)(
  "chunks that went through the %s before are committed, and read",
  async (through) => {
    const { metadata, cluster, signed, app } = await prepare();
    const objects = signed.objects(cluster.keys.readwrite);
    const { ticket, grant } = await objects.beginWrite({ bucket: BUCKET });
    const before = await upload(signed, grant, through);
    const [gone = ""] = before.placement;
    // The newest layout has their copies elsewhere, and no row names one of the older ones.
    for (let index = 0; index < 10; index++) await metadata.changeLayout({ weights: { [gone]: index % 2 } });
    await metadata.changeLayout({ weights: { [gone]: 0 } });
    const after = await upload(signed, grant, through);
    const content = { case: "chunked" as const, value: { chunks: [before.chunk, after.chunk] } };
    expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "k", ticket, sizeBytes: 2000n, content }))).toBe(
      "none",
    );
    const bytes = await app.bucket(BUCKET).object("k").bytes();
    expect(Buffer.from(bytes)).toEqual(Buffer.concat([before.bytes, after.bytes]));
  },
);

test("an upload by an app survives changes of the layout", async () => {
  const { metadata, app } = await prepare();
  const bytes = randomBytes(512 * KIB);
  async function* body() {
    for (let offset = 0; offset < bytes.length; offset += 64 * KIB) {
      yield bytes.subarray(offset, offset + 64 * KIB);
      const away = `node-${1 + ((offset / (64 * KIB)) % 4)}`;
      await metadata.changeLayout({ weights: { [away]: 0 } });
      await metadata.changeLayout({ weights: { [away]: 1 } });
    }
  }
  await app.putObject({ bucket: BUCKET, key: "k", body: body(), chunker: fixed(64 * KIB) });
  expect(Buffer.from(await app.bucket(BUCKET).object("k").bytes())).toEqual(bytes);
});

test("chunks of several layouts are read after the next change", async () => {
  const { metadata, cluster, signed, app } = await prepare(2);
  const change = halvesOf(metadata);
  const objects = signed.objects(cluster.keys.readwrite);
  const { ticket, grant } = await objects.beginWrite({ bucket: BUCKET });
  await change(0);
  const before = await upload(signed, grant, "nodes");
  await change(1);
  const after = await upload(signed, grant, "nodes");
  const content = { case: "chunked" as const, value: { chunks: [before.chunk, after.chunk] } };
  await objects.commitWrite({ bucket: BUCKET, key: "k", ticket, sizeBytes: 2000n, content });
  await change(0);
  const bytes = await app.bucket(BUCKET).object("k").bytes();
  expect(Buffer.from(bytes)).toEqual(Buffer.concat([before.bytes, after.bytes]));
});

test.each(["nodes", "gateway"] as const)(
  "chunks that went through the %s while there were fewer copies are committed",
  async (through) => {
    const { metadata, cluster, signed, app } = await prepare(1);
    const objects = signed.objects(cluster.keys.readwrite);
    const { ticket, grant } = await objects.beginWrite({ bucket: BUCKET });
    const before = [await upload(signed, grant, through), await upload(signed, grant, through)];
    const wider = createPlacement(await metadata.changeLayout({ replicationFactor: 3 }));
    const after = await upload(signed, grant, through);
    const all = [...before, after];
    const content = { case: "chunked" as const, value: { chunks: all.map(({ chunk }) => chunk) } };
    const sizeBytes = BigInt(all.length * 1000);
    expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "k", ticket, sizeBytes, content }))).toBe("none");
    const bytes = await app.bucket(BUCKET).object("k").bytes();
    expect(Buffer.from(bytes)).toEqual(Buffer.concat(all.map((each) => each.bytes)));
    if (through === "gateway") return;
    // The repair makes the other copies.
    const repairs = await metadata.listRepairs({ limit: 10 });
    for (const { chunk, placement } of before) {
      const missed = wider.nodesOf(chunk.chunkId).filter((nodeId) => !placement.includes(nodeId));
      const queued = repairs.filter(({ chunkId }) => bytesEqual(chunkId, chunk.chunkId)).map(({ nodeId }) => nodeId);
      expect(queued.toSorted()).toEqual(missed.toSorted());
      expect(missed).toHaveLength(2);
      // By the wider layout they are wanted from now on, whatever becomes of the queue.
      const [row] = repairs.filter(({ chunkId }) => bytesEqual(chunkId, chunk.chunkId));
      expect(row?.layoutVersion).toBe(wider.layoutVersion);
    }
  },
);

test("a chunk that has too few receipts under every layout is refused", async () => {
  const { metadata, cluster, signed } = await prepare();
  const objects = signed.objects(cluster.keys.readwrite);
  const { ticket, grant } = await objects.beginWrite({ bucket: BUCKET });
  const { chunk, placement } = await upload(signed, grant, "nodes");
  await metadata.changeLayout({ replicationFactor: 4 });
  // The first layout had one node only, so that this one alone was enough then.
  const receipts = chunk.receipts.filter((_, index) => placement[index] !== "node-1").slice(0, 1);
  const value = { chunks: [{ ...chunk, receipts }] };
  const content = { case: "chunked" as const, value };
  expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "k", ticket, sizeBytes: 1000n, content }))).toBe(
    "QUORUM_NOT_REACHED",
  );
});

test("chunks that went through the gateway are committed after more changes than are looked through", async () => {
  const { metadata, cluster, signed, app } = await prepare();
  const objects = signed.objects(cluster.keys.readwrite);
  const { ticket, grant } = await objects.beginWrite({ bucket: BUCKET });
  const { bytes, chunk, placement } = await upload(signed, grant, "gateway");
  const [gone = ""] = placement;
  for (let index = 0; index < LIMITS.RECENT_LAYOUTS_MAX; index++) {
    await metadata.changeLayout({ weights: { [gone]: index % 2 } });
  }
  // Through the gateway, so that it knows the newest layout.
  await signed.cluster(cluster.keys.admin).changeLayout({ weights: { [gone]: 0 } });
  const content = { case: "chunked" as const, value: { chunks: [chunk] } };
  expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "k", ticket, sizeBytes: 1000n, content }))).toBe(
    "none",
  );
  expect(Buffer.from(await app.bucket(BUCKET).object("k").bytes())).toEqual(bytes);
});

test.each([
  ["gateway", gateway],
  ["direct", direct],
] as const)("without access control an upload survives changes of the layout too: %s", async (_, seat) => {
  const { cluster, signed } = await prepare(2, { insecure: true });
  // Through the gateway, so that it knows the newest layout.
  const change = halvesOf(signed.cluster(undefined));
  await using app = createClient(seat({ url: cluster.url, transport: httpTransport(), refreshAfterMs: 0 }));
  const bytes = randomBytes(256 * KIB);
  await change(0);
  async function* body() {
    yield bytes.subarray(0, 128 * KIB);
    await change(1);
    await change(0);
    await change(1);
    yield bytes.subarray(128 * KIB);
  }
  await app.putObject({ bucket: BUCKET, key: "k", body: body(), chunker: fixed(64 * KIB), concurrency: 1 });
  for (const half of [0, 1] as const) {
    await change(half);
    expect(Buffer.from(await app.bucket(BUCKET).object("k").bytes())).toEqual(bytes);
  }
  // Too few copies under every layout.
  for (const store of cluster.stores.values()) {
    const { chunks } = await store.listChunks();
    await store.deleteChunks(
      chunks.map(({ chunkId }) => chunkId),
      { unclaimedForMs: 0 },
    );
  }
  const objects = signed.objects(undefined);
  const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
  const content = { case: "chunked" as const, value: { chunks: [{ chunkId, sizeBytes: 1000n }] } };
  expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "l", sizeBytes: 1000n, content }))).toBe(
    "CLAIM_EXPIRED",
  );
  await cluster.stopNode("node-2");
  await cluster.stopNode("node-1");
  expect(await codeOf(objects.commitWrite({ bucket: BUCKET, key: "l", sizeBytes: 1000n, content }))).toBe(
    "QUORUM_NOT_REACHED",
  );
});

test("a gateway says that a chunk is absent only after the nodes of now said so", async () => {
  const { metadata, cluster, app } = await prepare(2, { insecure: true });
  const change = halvesOf(metadata);
  await change(0);
  await app.putObject({ bucket: BUCKET, key: "k", body: randomBytes(100 * KIB) });
  // The gateway has seen the first two nodes only. Another one has the chunk.
  await change(1);
  const bytes = randomBytes(1000);
  const hash = createHash("sha256").update(bytes).digest();
  const statusOf = async (): Promise<number> =>
    (await fetch(`${cluster.url}/chunks/${hash.toString("hex")}`, { method: "HEAD" })).status;
  await cluster.stores.get("node-3")!.putChunk(digestFromBytes(hash), bytes);
  expect(await statusOf()).toBe(200);
  // The one that has it is away.
  await cluster.stopNode("node-3");
  expect(await statusOf()).toBe(503);
});

test("a client that proves that it has a chunk is told to send it while a node is away that may hold it", async () => {
  const { cluster, signed } = await prepare(3, { proofsOfPossession: true });
  const { grant } = await signed.objects(cluster.keys.readwrite).beginWrite({ bucket: BUCKET });
  const chunkId = digestFromBytes(createHash("sha256").update(randomBytes(1000)).digest());
  const [away = ""] = await signed.nodesOf(chunkId);
  await cluster.stopNode(away);
  const proofs = [randomBytes(32)];
  const { chunks } = await signed.chunks("gateway", grant).hasChunks({ chunkIds: [chunkId], claim: true, proofs });
  expect(chunks.map(({ present }) => present)).toEqual([false]);
});
