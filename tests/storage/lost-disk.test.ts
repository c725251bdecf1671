import { mkdir, rm } from "node:fs/promises";
import { gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterEach, describe, expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster, type TestNode } from "../support/test-cluster.ts";
import { openTransport } from "../support/transports.ts";

const CHUNK = 128 * KIB;
const SIZE = 4 * MIB;
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };

let cluster: TestCluster;
let client: ObjectClient;

afterEach(async () => {
  await client.close();
  await cluster.close();
});

const chunksOn = async (node: TestNode): Promise<number> => (await node.store.stats()).chunkCount;

async function storeOf(node: TestNode): Promise<unknown> {
  const response = await fetch(`${node.url}/readyz`);
  return ((await response.json()) as { readonly checks: { readonly store: string } }).checks.store;
}

describe.each(["memory", "sqlite", "postgres"] as const)(
  "a node that lost its disk, with metadata in %s",
  (metadata) => {
    test("says so, is shown so in every transport, and gets its copies back", { timeout: 90_000 }, async () => {
      cluster = await startTestCluster({
        ...{ metadata, heartbeatIntervalMs: 100 },
        gateway: { maintenance: { repairIntervalMs: 200 } },
      });
      const { url, apiKey } = cluster;
      client = createClient(gateway({ url, apiKey, durability: "os", chunker: fixed(CHUNK) }));
      await client.createBucket({ bucket: "box" });
      await client.putObject({ bucket: "box", key: "a", body: testBytes(SIZE, 1) });
      const node = cluster.nodes[1]!;
      await expect.poll(() => chunksOn(node)).toBe(SIZE / CHUNK);
      const told = async () => (await client.cluster()).nodes.find(({ nodeId }) => nodeId === node.nodeId);
      await expect.poll(async () => (await told())?.stats?.chunkCount).toBe(SIZE / CHUNK);

      await node.stop();
      // While another node is away, not every copy can be restored: the loss stays to be seen.
      await rm(node.path!, { recursive: true });
      await mkdir(node.path!);
      await Promise.all([cluster.nodes[0]!.stop(), cluster.nodes[2]!.stop()]);
      await node.start();
      const lostDisk = { kind: "emptied", chunkCount: SIZE / CHUNK, bytesUsed: SIZE, atMs: expect.any(Number) };
      expect((await told())?.lostDisk).toMatchObject(lostDisk);
      expect(await storeOf(node)).toBe("lost its disk");
      for (const name of ["fetch", "connect", "grpc-web", "grpc"] as const) {
        await using other = createClient(gateway({ url, apiKey, transport: openTransport(name, NOBODY) }));
        expect(
          (await other.cluster()).nodes.find(({ nodeId }) => nodeId === node.nodeId)?.lostDisk,
          name,
        ).toMatchObject(lostDisk);
      }
      await Promise.all([cluster.nodes[0]!.start(), cluster.nodes[2]!.start()]);

      await expect.poll(() => chunksOn(node), { timeout: 30_000 }).toBe(SIZE / CHUNK);
      await expect.poll(async () => (await told())?.lostDisk, { timeout: 30_000 }).toBeUndefined();
      await expect.poll(() => storeOf(node), { timeout: 30_000 }).toBe("ok");
      // The copies that were restored are good: only they answer now.
      await cluster.nodes[0]!.stop();
      await cluster.nodes[2]!.stop();
      const got = await client.getObject({ bucket: "box", key: "a" });
      expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, 1)));
    });
  },
);
