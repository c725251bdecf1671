import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, MIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster } from "../support/test-cluster.ts";
import { startUploadProcess } from "../support/upload-process.ts";

describe("a client that is killed in the middle of an upload", { timeout: 60_000 }, () => {
  test.each(["gateway", "direct"] as const)(
    "leaves nothing visible (%s seat), and its chunks are collected",
    async (seat) => {
      const cluster = await startTestCluster({ metadata: "sqlite" });
      const { url, apiKey } = cluster;
      const client = createClient(seat === "gateway" ? gateway({ url, apiKey }) : direct({ url, apiKey }));
      try {
        await client.createBucket({ bucket: "box" });
        const kept = testBytes(2 * MIB, 9);
        await client.putObject({ bucket: "box", key: "kept", body: kept });
        const replaced = { bucket: "box", key: "replaced" };
        await client.putObject({ ...replaced, body: "before" });
        const upload = startUploadProcess({ seat, url, apiKey }, replaced);
        await upload.reached(4 * MIB);
        await upload.kill();
        expect(await (await client.getObject(replaced)).text()).toBe("before");
        expect((await client.listObjectsPage({ bucket: "box" })).objects.map((each) => each.key)).toEqual([
          "kept",
          "replaced",
        ]);
        const copies = async (): Promise<number> => {
          const stats = await Promise.all(cluster.nodes.map((node) => node.store.stats()));
          return stats.reduce((sum, each) => sum + each.chunkCount, 0);
        };
        // Sixteen chunks were acknowledged, each by two nodes at least.
        expect(await copies()).toBeGreaterThanOrEqual(2 * 16);
        // Claimed chunks stay; when the claims have ended, these chunks are deleted, and no others.
        expect((await cluster.collect({ graceMs: 0 })).orphansDeleted).toBe(0);
        const { orphansDeleted } = await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
        expect(orphansDeleted).toBeGreaterThanOrEqual(2 * 16);
        // The gateway may have passed a chunk on after that.
        const collectAgain = async (): Promise<number> => {
          await cluster.collect({ graceMs: 0, claimTtlMs: 0 });
          return await copies();
        };
        await expect.poll(collectAgain, { timeout: 20_000 }).toBeLessThanOrEqual(3);
        expect(await (await client.getObject({ bucket: "box", key: "kept" })).bytes()).toEqual(kept);
      } finally {
        await client.close();
        await cluster.close();
      }
    },
  );

  test("leaves nothing visible in an embedded store, which opens again as it was", async () => {
    await using folder = await createTempFolder();
    const seat = { path: folder.path };
    const kept = testBytes(2 * MIB, 9);
    {
      await using client = createClient(embedded(seat));
      await client.createBucket({ bucket: "box" });
      await client.putObject({ bucket: "box", key: "kept", body: kept });
    }
    for (let round = 0; round < 2; round++) {
      const upload = startUploadProcess({ seat: "embedded", path: folder.path }, { bucket: "box", key: "lost" });
      await upload.reached(2 * MIB);
      await upload.kill();
    }
    // Keeps nothing, so that what the killed uploads left is old enough.
    await using client = createClient(embedded({ ...seat, claimTtlMs: 0, collectGraceMs: 0 }));
    await expectCode(client.headObject({ bucket: "box", key: "lost" }), "OBJECT_NOT_FOUND");
    const got = await client.getObject({ bucket: "box", key: "kept" });
    expect(got.sha256).toBe(sha256Hex(await got.bytes()));
    const report = await client.collect();
    expect(report.orphansDeleted).toBeGreaterThanOrEqual(16);
    expect(await client.collect()).toMatchObject({ orphansDeleted: 0, chunksDeleted: 0 });
    expect(await (await client.getObject({ bucket: "box", key: "kept" })).bytes()).toEqual(kept);
  });
});
