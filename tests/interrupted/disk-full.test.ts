import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scriptedBody, slices } from "../support/bodies.ts";
import { expectCode } from "../support/expect-code.ts";
import { mayMount, mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes, testStream } from "../support/test-bytes.ts";
import { startTestCluster } from "../support/test-cluster.ts";

const DISK = 8 * MIB;
const CHUNK = 256 * KIB;

let folder: TempFolder;
const disks: SmallDisk[] = [];

/** A disk of 8 MiB. */
async function smallDisk(name: string): Promise<SmallDisk> {
  const disk = await mountSmallDisk(folder.at(name), DISK);
  disks.push(disk);
  return disk;
}

beforeAll(async () => {
  folder = await createTempFolder();
});
afterAll(async () => {
  for (const disk of disks) await disk[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

// Only root mounts a disk; elsewhere these tests are skipped.
describe.skipIf(!mayMount())("a disk that is full", { timeout: 60_000 }, () => {
  test.each(["gateway", "direct"] as const)(
    "on every node ends an upload with DISK_FULL, mid-body (%s seat)",
    async (seat) => {
      const paths = new Map<string, string>();
      for (const nodeId of ["node-1", "node-2", "node-3"])
        paths.set(nodeId, (await smallDisk(`${seat}-${nodeId}`)).path);
      const cluster = await startTestCluster({ nodePath: (nodeId) => paths.get(nodeId)! });
      const { url, apiKey } = cluster;
      const client = createClient(seat === "gateway" ? gateway({ url, apiKey }) : direct({ url, apiKey }));
      try {
        await client.createBucket({ bucket: "box" });
        const body = scriptedBody(slices(400, CHUNK));
        const ref = { bucket: "box", key: "large" };
        await expectCode(client.putObject({ ...ref, body, chunker: fixed(CHUNK) }), "DISK_FULL");
        expect(body.returned).toBe(true);
        expect(body.pulls).toBeLessThan(60);
        await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
        // Small objects are in the metadata: they can still be written.
        await client.putObject({ bucket: "box", key: "small", body: "x" });
        // Once the chunks of the failed upload are collected, there is room again.
        expect((await cluster.collect({ claimTtlMs: 0, graceMs: 0 })).orphansDeleted).toBeGreaterThan(20);
        // A node that was full looks at its disk once a second.
        const putAgain = (): Promise<string> =>
          client.putObject({ ...ref, body: testBytes(4 * MIB), chunker: fixed(CHUNK) }).then(
            () => "stored",
            (error: { code: string }) => error.code,
          );
        await expect.poll(putAgain, { timeout: 20_000 }).toBe("stored");
        expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(4 * MIB));
      } finally {
        await client.close();
        await cluster.close();
      }
    },
  );

  test("on one of three nodes does not stop an upload; what it lacks is queued for repair", async () => {
    const { path: small } = await smallDisk("one-of-three");
    await using others = await createTempFolder();
    const cluster = await startTestCluster({
      nodePath: (nodeId) => (nodeId === "node-2" ? small : others.at(nodeId)),
    });
    const { url, apiKey } = cluster;
    const client = createClient(gateway({ url, apiKey }));
    try {
      await client.createBucket({ bucket: "box" });
      const ref = { bucket: "box", key: "large" };
      const put = await client.putObject({ ...ref, body: testStream(16 * MIB), chunker: fixed(CHUNK) });
      expect(put.replicas).toBe(2);
      const repairs = await cluster.metadata.listRepairs({ limit: 100 });
      // Another replica may have been a little late from time to time.
      expect(repairs.filter((repair) => repair.nodeId === "node-2").length).toBeGreaterThan(20);
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(16 * MIB));
    } finally {
      await client.close();
      await cluster.close();
    }
  });

  test("below an embedded store ends an upload with DISK_FULL; a delete makes room", async () => {
    const { path } = await smallDisk("embedded");
    await using client = createClient(embedded({ path }));
    await client.createBucket({ bucket: "box" });
    const kept = { bucket: "box", key: "kept" };
    await client.putObject({ ...kept, body: testBytes(3 * MIB), chunker: fixed(CHUNK) });
    const large = { bucket: "box", key: "large", chunker: fixed(CHUNK) };
    await expectCode(client.putObject({ ...large, body: testStream(12 * MIB, { seed: 2 }) }), "DISK_FULL");
    expect(await (await client.getObject(kept)).bytes()).toEqual(testBytes(3 * MIB));
    // What was stored of it waits for its claims to end, and the report counts it.
    const waiting = await client.collect();
    expect(waiting).toMatchObject({ orphansDeleted: 0, chunksKept: 0 });
    expect(waiting.orphansKept).toBeGreaterThan(5);
    await client.deleteObject(kept);
    await using collector = createClient(embedded({ path, claimTtlMs: 0, collectGraceMs: 0 }));
    await collector.collect();
    await client.putObject({ ...large, body: testStream(4 * MIB, { seed: 3 }) });
    expect(await (await client.getObject(large)).bytes()).toEqual(testBytes(4 * MIB, 3));
  });
});
