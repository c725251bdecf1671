import { setTimeout as sleep } from "node:timers/promises";
import {
  type CollectReport,
  collect,
  createEngine,
  examineStore,
  type StoreProblem,
  singleStoreTopology,
} from "@ashlar/sdk/engine";
import { KIB, MIB } from "@ashlar/sdk/limits";
import { type ChunkStore, type ObjectEngine, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMemoryChunkStore } from "../chunk-store/memory.ts";
import { nodeCryptoHasher } from "../hash/node-crypto.ts";
import type { RawSubject } from "../internal/raw-subject.ts";
import { createRawPostgres } from "./postgres/testing/postgres-subject.ts";
import { createRawSqlite } from "./sqlite/testing/sqlite-subject.ts";

for (const [name, create] of Object.entries({ sqlite: createRawSqlite, postgres: createRawPostgres })) {
  describe(`the collector of a damaged ${name} database`, { timeout: 60_000 }, () => {
    let subject: RawSubject;
    let engine: ObjectEngine;
    let chunks: ChunkStore;
    const bodies = new Map<string, Uint8Array>();

    beforeEach(async () => {
      subject = await create();
      chunks = createMemoryChunkStore();
      engine = createEngine({
        ...{ catalog: subject.store, topology: singleStoreTopology(chunks) },
        ...{ hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger },
      });
      await engine.createBucket("box");
      await put("a", 3 * MIB, 1);
      await put("b", 300 * KIB, 2);
      // Equal content: three objects, one set of chunks.
      for (const key of ["d1", "d2", "d3"]) await put(key, 100 * KIB, 5);
      await engine.copyObject({ sourceBucket: "box", sourceKey: "a", bucket: "box", key: "a-copy" });
      bodies.set("a-copy", bodies.get("a")!);
    }, 60_000);

    afterEach(async () => {
      bodies.clear();
      await engine.close();
      await subject.dispose();
    });

    async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      yield bytes;
    }

    async function put(key: string, sizeBytes: number, seed: number): Promise<void> {
      const bytes = new Uint8Array(sizeBytes).map((_, index) => (index * seed + (index >> 8) * (seed + 2)) & 0xff);
      bodies.set(key, bytes);
      await engine.putObject({ bucket: "box", key, attributes: {} }, bodyOf(bytes));
    }

    async function remove(key: string): Promise<void> {
      bodies.delete(key);
      await engine.deleteObject({ bucket: "box", key });
    }

    async function collectNow(): Promise<CollectReport> {
      await sleep(5); // past the claims and the grace, both of 0 ms
      return await collect({
        ...{ metadata: subject.store, topology: singleStoreTopology(chunks), logger: silentLogger },
        ...{ graceMs: 0, claimTtlMs: 0 },
      });
    }

    async function expectAllThere(): Promise<void> {
      for (const [key, bytes] of bodies) {
        const parts: Uint8Array[] = [];
        for await (const part of (await engine.openObject({ bucket: "box", key })).read()) parts.push(part);
        expect(Buffer.compare(Buffer.concat(parts), bytes), key).toBe(0);
      }
    }

    test("keeps a living object's chunk whose row has an id with one bit flipped", async () => {
      for (const { chunk_id: id } of await subject.raw.query("SELECT chunk_id FROM chunks")) {
        const flipped = Buffer.from(id as Uint8Array);
        flipped[31]! ^= 1;
        await subject.raw.query("UPDATE chunks SET chunk_id = $1 WHERE chunk_id = $2", [
          flipped,
          Buffer.from(id as Uint8Array),
        ]);
      }
      expect(await collectNow()).toMatchObject({ orphansDeleted: 0, damagesFound: expect.any(Number) });
      expect((await collectNow()).damagesFound).toBeGreaterThan(0);
      await expectAllThere();
    });

    test("keeps chunks whose rows are lost, and deletes what really is an orphan once they are back", async () => {
      const stray = nodeCryptoHasher.digest(Buffer.from("stray"));
      await chunks.putChunk(await stray, Buffer.from("stray"));
      const rows = await subject.raw.query("SELECT count(*) AS rows FROM chunks");
      await subject.raw.query("DELETE FROM chunks");
      const report = await collectNow();
      expect(report).toMatchObject({ orphansDeleted: 1, damagesFound: Number(rows[0]?.rows) });
      await expectAllThere();
    });

    test("deletes no orphan while a segment cannot be read: it might name it", async () => {
      const [row] = await subject.raw.query("SELECT part_id, data FROM manifest_segments WHERE data IS NOT NULL");
      const garbled = Buffer.from(row?.data as Uint8Array);
      garbled[10]! ^= 1;
      const set = (data: Uint8Array): Promise<unknown> =>
        subject.raw.query("UPDATE manifest_segments SET data = $1 WHERE part_id = $2", [data, row?.part_id]);
      await set(garbled);
      await subject.raw.query("DELETE FROM chunks");
      expect(await collectNow()).toMatchObject({ orphansDeleted: 0 });
      await set(Buffer.from(row?.data as Uint8Array));
      await expectAllThere();
    });

    test("keeps chunks whose count is too low, until nothing names them", async () => {
      await subject.raw.query("UPDATE chunks SET reference_count = 1 WHERE reference_count = 3");
      await remove("d1");
      expect(await collectNow()).toMatchObject({ manifestsDropped: 1, chunksDeleted: 0, damagesFound: 1 });
      await expectAllThere();
      await remove("d2");
      await remove("d3");
      expect(await collectNow()).toMatchObject({ manifestsDropped: 2, chunksDeleted: 1, damagesFound: 0 });
    });

    test("keeps chunks whose rows say that they are idle", async () => {
      await subject.raw.query("UPDATE chunks SET reference_count = 0, idle_since_ms = 1");
      expect(await collectNow()).toMatchObject({ chunksDeleted: 0, orphansDeleted: 0 });
      await expectAllThere();
    });

    test("keeps a manifest that another object still names, whatever its count says", async () => {
      await subject.raw.query("UPDATE manifests SET reference_count = 1 WHERE reference_count = 2");
      await remove("a-copy");
      expect(await collectNow()).toMatchObject({ manifestsDropped: 0, chunksDeleted: 0 });
      await expectAllThere();
      await remove("a");
      expect(await collectNow()).toMatchObject({ manifestsDropped: 1 });
      expect((await collectNow()).damagesFound).toBe(0);
      await expectAllThere();
    });

    test("keeps manifests, parts and uploads whose time of release or creation is wrong", async () => {
      const { uploadId } = await engine.createUpload({ bucket: "box", key: "up", attributes: {} });
      const bytes = new Uint8Array(200 * KIB).fill(7);
      const part = await engine.writePart({ uploadId, partNumber: 1 }, bodyOf(bytes));
      const restore = await subject.raw.query("SELECT created_at_ms AS at FROM uploads");
      await subject.raw.query("UPDATE manifests SET released_at_ms = 1");
      await subject.raw.query("UPDATE manifest_parts SET released_at_ms = 1");
      await subject.raw.query("UPDATE uploads SET created_at_ms = 1");
      expect(await collectNow()).toMatchObject({ manifestsDropped: 0, uploadsAborted: 0, chunksDeleted: 0 });
      await subject.raw.query("UPDATE manifests SET released_at_ms = NULL");
      await subject.raw.query("UPDATE manifest_parts SET released_at_ms = NULL");
      await subject.raw.query("UPDATE uploads SET created_at_ms = $1", [restore[0]?.at]);
      await engine.completeUpload({ uploadId, parts: [{ partNumber: 1, etag: part.etag }] });
      bodies.set("up", bytes);
      await expectAllThere();
    });

    test("still frees replaced parts, unchosen parts and aborted uploads", async () => {
      const { uploadId } = await engine.createUpload({ bucket: "box", key: "up", attributes: {} });
      const body = (fill: number): AsyncGenerator<Uint8Array> => bodyOf(new Uint8Array(200 * KIB).fill(fill));
      await engine.writePart({ uploadId, partNumber: 1 }, body(11));
      const one = await engine.writePart({ uploadId, partNumber: 1 }, body(12));
      await engine.writePart({ uploadId, partNumber: 2 }, body(13));
      expect(await collectNow()).toMatchObject({ manifestsDropped: 1, chunksDeleted: 1, damagesFound: 0 });
      await engine.completeUpload({ uploadId, parts: [{ partNumber: 1, etag: one.etag }] });
      expect(await collectNow()).toMatchObject({ manifestsDropped: 1, chunksDeleted: 1, damagesFound: 0 });
      const second = await engine.createUpload({ bucket: "box", key: "up2", attributes: {} });
      await engine.writePart({ uploadId: second.uploadId, partNumber: 1 }, body(14));
      await engine.abortUpload(second.uploadId);
      expect(await collectNow()).toMatchObject({ manifestsDropped: 1, chunksDeleted: 1, damagesFound: 0 });
      for (const key of [...bodies.keys()]) await remove(key);
      await engine.deleteObject({ bucket: "box", key: "up" });
      await collectNow();
      expect((await chunks.stats()).chunkCount).toBe(0);
      expect(await subject.raw.query("SELECT 1 AS row FROM manifests")).toEqual([]);
    });

    test("reports an object whose manifest was lost as damaged, not as one that changes too fast", async () => {
      await subject.raw.query("DELETE FROM manifest_segments");
      await subject.raw.query("DELETE FROM manifest_parts");
      await subject.raw.query("DELETE FROM manifests");
      await expect(expectAllThere()).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
    });

    async function examine(): Promise<readonly StoreProblem[]> {
      const problems: StoreProblem[] = [];
      await examineStore({
        ...{ metadata: subject.store, chunks },
        onProblem: (problem) => void problems.push(problem),
      });
      return problems;
    }

    const DAMAGES: Readonly<Record<string, { readonly sql: string; readonly key?: string }>> = {
      "another etag": { sql: "UPDATE objects SET etag = 'x' WHERE key = $1", key: "b" },
      "no latest version": { sql: "UPDATE objects SET is_latest = FALSE WHERE key = $1", key: "b" },
      "another size of a manifest": {
        sql: "UPDATE manifests SET size_bytes = size_bytes - 1 WHERE size_bytes = 307200",
        key: "b",
      },
      "a manifest in another state": { sql: "UPDATE manifests SET state = 'opem' WHERE size_bytes = 307200", key: "b" },
      "a manifest that is released": {
        sql: "UPDATE manifests SET released_at_ms = 1 WHERE size_bytes = 307200",
        key: "b",
      },
      "a manifest that counts fewer objects": {
        sql: "UPDATE manifests SET reference_count = 1 WHERE reference_count = 2",
        key: "a",
      },
      "a part that is released": {
        sql: "UPDATE manifest_parts SET released_at_ms = 1 WHERE size_bytes = 307200",
        key: "b",
      },
      "a part elsewhere": { sql: "UPDATE manifest_parts SET start_offset = 1 WHERE size_bytes = 307200", key: "b" },
      "no segments": { sql: "DELETE FROM manifest_segments WHERE size_bytes = 307200", key: "b" },
      "no manifest": { sql: "DELETE FROM manifests WHERE size_bytes = 307200", key: "b" },
      "no bucket": { sql: "DELETE FROM buckets", key: "b" },
      "a chunk row that counts less": { sql: "UPDATE chunks SET reference_count = 1 WHERE reference_count = 3" },
      "a chunk row that counts more": { sql: "UPDATE chunks SET reference_count = 4 WHERE reference_count = 3" },
      "no chunk rows": { sql: "DELETE FROM chunks" },
    };

    test("is not needed when nothing is damaged: the examination finds nothing", async () => {
      const { uploadId } = await engine.createUpload({ bucket: "box", key: "up", attributes: {} });
      for (let round = 0; round < 2; round++) {
        await engine.writePart({ uploadId, partNumber: 1 }, bodyOf(new Uint8Array(200 * KIB).fill(round)));
      }
      await engine.putObject({ bucket: "box", key: "small", attributes: {} }, bodyOf(Buffer.from("small")));
      await remove("d1");
      expect(await examine()).toEqual([]);
    });

    test.each(Object.entries(DAMAGES))("has an examination that finds %s", async (_, { sql, key }) => {
      await subject.raw.query(sql, sql.includes("$1") ? [Buffer.from(key ?? "")] : []);
      const problems = await examine();
      expect(problems).not.toEqual([]);
      if (key !== undefined) expect(problems).toContainEqual(expect.objectContaining({ bucket: "box", key }));
      else expect(problems[0]).toMatchObject({ bucket: "box", what: expect.stringMatching(/^chunk [0-9a-f]{64}: /) });
    });

    test("has an examination that names the object whose chunk is gone from the store", async () => {
      const stored = await subject.store.getObject({ bucket: "box", key: "b" });
      await chunks.deleteChunks([stored!.page!.chunks[0]!.chunkId], { unclaimedForMs: 0 });
      expect(await examine()).toEqual([expect.objectContaining({ bucket: "box", key: "b" })]);
    });
  });
}
