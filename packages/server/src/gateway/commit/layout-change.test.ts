/** Uploads during which the layout changes, also more than once: until they are committed, nothing names the layout under which they began. */
import { createHash, randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, fixed, gateway, KIB } from "@ashlar/sdk";
import { digestFromBytes } from "@ashlar/sdk/hash";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, type DirectClient, directClient } from "../testing/direct-client.ts";
import { startTestCluster } from "../testing/start-test-cluster.ts";

const BUCKET = "box";

async function prepare(replicationFactor = 3) {
  const metadata = createMemoryMetadataStore({ replicationFactor });
  const cluster = await startTestCluster({
    metadata,
    hasher: nodeCryptoHasher,
    transport: undiciTransport(),
    nodeCount: 4,
    openStore: () => createMemoryChunkStore(),
  });
  onTestFinished(() => cluster.close());
  const signed = directClient(cluster);
  const app = createClient(gateway({ url: cluster.url, apiKey: cluster.keys.readwrite, transport: httpTransport() }));
  onTestFinished(() => app.close());
  await app.createBucket({ bucket: BUCKET });
  return { metadata, cluster, signed, app };
}

/** Stores one chunk of 1,000 bytes where the newest layout wants it, or through the gateway. */
async function upload(signed: DirectClient, grant: string, through: "nodes" | "gateway") {
  const bytes = randomBytes(1000);
  const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
  const placement = await signed.placementOf(chunkId);
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
  // As many nodes as copies: each layout has its copies on nodes of its own.
  const change = (first: 0 | 1): Promise<unknown> => {
    const weights = { "node-1": first, "node-2": first, "node-3": 1 - first, "node-4": 1 - first };
    return metadata.changeLayout({ weights });
  };
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
