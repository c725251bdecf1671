import { direct, gateway } from "@ashlar/adapters/node";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, fixed, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import type { Transport } from "@ashlar/sdk/ports";
import { createPlacement } from "@ashlar/sdk/ring";
import { afterEach, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";

const CHUNK = 64 * KIB;
const SIZE = 2 * MIB;
const KEYS = ["object-0", "object-1", "object-2"];

let cluster: TestCluster;
const clients: ObjectClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await cluster.close();
});

function kept(client: ObjectClient): ObjectClient {
  clients.push(client);
  return client;
}

/** A cluster of an earlier release: its layout has format 1. */
async function start(metadata: "memory" | "sqlite" | "postgres"): Promise<ObjectClient> {
  cluster = await startTestCluster({
    ...{ metadata, nodeCount: 5, heartbeatIntervalMs: 100 },
    gateway: { maintenance: { repairIntervalMs: 100, collectIntervalMs: 3_600_000, reReplicateAfterMs: 0 } },
  });
  await cluster.metadata.changeLayout({ placementFormat: 1 });
  cluster.topology.invalidate();
  const { url, apiKey } = cluster;
  const client = kept(createClient(gateway({ url, apiKey, durability: "os", chunker: fixed(CHUNK) })));
  await client.createBucket({ bucket: "box" });
  for (const [seed, key] of KEYS.entries()) await client.putObject({ bucket: "box", key, body: testBytes(SIZE, seed) });
  return client;
}

/** What `GetCluster` answers to a client of an earlier release, which names no format. */
async function askAsEarlierRelease(): Promise<Response> {
  return await fetch(`${cluster.url}/ashlar.v1.ClusterService/GetCluster`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${cluster.apiKey}` },
    body: "{}",
  });
}

/** A transport whose gateway answers as it does an earlier release. */
function earlierTransport(): Transport {
  const transport = undiciTransport();
  return {
    ...transport,
    openGateway(endpoint) {
      const connection = transport.openGateway(endpoint);
      return {
        ...connection,
        cluster: {
          ...connection.cluster,
          async clusterSnapshot(options) {
            if (!(await askAsEarlierRelease()).ok) throw new AshlarError("STORE_INCOMPATIBLE", "refused");
            return await connection.cluster.clusterSnapshot(options);
          },
        },
      };
    },
  };
}

const earlierClient = (): ObjectClient =>
  kept(
    createClient(
      direct({
        url: cluster.url,
        apiKey: cluster.apiKey,
        durability: "os",
        chunker: fixed(CHUNK),
        transport: earlierTransport(),
      }),
    ),
  );

async function expectReadable(client: ObjectClient): Promise<void> {
  for (const [seed, key] of KEYS.entries()) {
    const got = await client.getObject({ bucket: "box", key });
    expect(sha256Hex(await got.bytes())).toBe(sha256Hex(testBytes(SIZE, seed)));
  }
}

/** Waits until every chunk follows the newest layout, and looks whether each lies where that says. */
async function expectMoved(): Promise<void> {
  const snapshot = () => cluster.metadata.clusterSnapshot();
  await expect.poll(async () => (await snapshot()).layouts.length, { timeout: 180_000 }).toBe(1);
  const [layout] = (await snapshot()).layouts;
  expect(layout?.placementFormat).toBe(2);
  const placement = createPlacement(layout!);
  cluster.topology.invalidate();
  await cluster.collect({ claimTtlMs: 0 });
  const held = new Map<string, string[]>();
  for (const node of cluster.nodes)
    for (const { chunkId } of (await node.store.listChunks({})).chunks) {
      const id = Buffer.from(chunkId).toString("hex");
      held.set(id, [...(held.get(id) ?? []), node.nodeId]);
    }
  expect(held.size).toBeGreaterThanOrEqual((KEYS.length * SIZE) / CHUNK);
  for (const [id, nodeIds] of held)
    expect(nodeIds.sort()).toEqual([...placement.nodesOf(digestFromBytes(Buffer.from(id, "hex")))].sort());
}

describe.each(["memory", "sqlite", "postgres"] as const)(
  "a cluster that takes placement format 2, with metadata in %s",
  (metadata) => {
    test("is read all the time, by seats that began before and after, and all copies follow", {
      timeout: 240_000,
    }, async () => {
      const client = await start(metadata);
      const { url, apiKey } = cluster;
      const straight = kept(createClient(direct({ url, apiKey, durability: "os", chunker: fixed(CHUNK) })));
      await expectReadable(straight);
      let isMoving = true;
      let roundCount = 0;
      const reads = (async () => {
        for (; isMoving; roundCount++) for (const one of [client, straight]) await expectReadable(one);
      })();
      const layout = await cluster.metadata.changeLayout({ placementFormat: 2 });
      expect(layout.placementFormat).toBe(2);
      await client.putObject({ bucket: "box", key: "meanwhile", body: testBytes(SIZE, 50) });
      await straight.putObject({ bucket: "box", key: "straight", body: testBytes(SIZE, 51) });
      await expectMoved();
      isMoving = false;
      await reads;
      expect(roundCount).toBeGreaterThan(0);
      await expectReadable(kept(createClient(direct({ url, apiKey }))));
      for (const [key, seed] of [["meanwhile", 50] as const, ["straight", 51] as const])
        expect(sha256Hex(await (await client.getObject({ bucket: "box", key })).bytes())).toBe(
          sha256Hex(testBytes(SIZE, seed)),
        );
    });
  },
);

describe("a client of an earlier release", () => {
  test("is told to upgrade, and never places by a format that it does not know", { timeout: 240_000 }, async () => {
    const client = await start("sqlite");
    expect((await askAsEarlierRelease()).status).toBe(200);
    const began = earlierClient();
    await expectReadable(began);
    await cluster.metadata.changeLayout({ placementFormat: 2 });
    cluster.topology.invalidate();
    const refused = await askAsEarlierRelease();
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(/placement format 2.*upgrade the client/),
    });
    await expectCode(
      earlierClient()
        .getObject({ bucket: "box", key: KEYS[0]! })
        .then((got) => got.bytes()),
      "STORE_INCOMPATIBLE",
    );
    // One that runs goes on by the layout that it knows: what it writes is noted under that one, and moved as all the rest.
    await began.putObject({ bucket: "box", key: "late", body: testBytes(SIZE, 60) });
    await expectMoved();
    expect(sha256Hex(await (await client.getObject({ bucket: "box", key: "late" })).bytes())).toBe(
      sha256Hex(testBytes(SIZE, 60)),
    );
  });
});
