import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import type { MissedCopy } from "../../ports/index.ts";
import { createPlacement } from "../../ring/index.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunkedCommit,
  chunkIdOf,
  chunksOf,
  collectable,
  dropAll,
  endRepairs,
  inlineCommit,
  partOf,
  startUpload,
  withBucket,
} from "./fixtures.ts";

const removed = (name: string): { chunkId: ReturnType<typeof chunkIdOf>; removed: boolean } => ({
  chunkId: chunkIdOf(name),
  removed: true,
});
const AT = { bucket: BUCKET, key: "k" };

export const COLLECTION_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a chunk becomes collectable when the last object that names it is dropped, not before",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"])));
      await store.commitObject(chunkedCommit("l", [chunksOf(["a", "b"])[1]!]));
      await store.deleteObject(AT);
      expect(await collectable(store, ["a", "b"])).toEqual([]);
      expect(await dropAll(store)).toBe(1);
      expect(await collectable(store, ["a", "b"])).toEqual(["a"]);
      await store.deleteObject({ bucket: BUCKET, key: "l" });
      await dropAll(store);
      expect(await collectable(store, ["a", "b"])).toEqual(["a", "b"]);
    },
  },
  {
    name: "a chunk that one object names several times is released with that object",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a", "b", "a", "a"])));
      await store.commitObject(inlineCommit("k"));
      expect(await collectable(store, ["a", "b"])).toEqual([]);
      await dropAll(store);
      expect(await collectable(store, ["a", "b"])).toEqual(["a", "b"]);
    },
  },
  {
    name: "replacing an object by equal content keeps its chunks",
    async run({ store }) {
      await withBucket(store);
      for (let round = 0; round < 3; round++) await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"])));
      expect(await dropAll(store)).toBe(2);
      expect(await collectable(store, ["a", "b"])).toEqual([]);
      expect((await store.getObject(AT))?.page?.chunks).toHaveLength(2);
    },
  },
  {
    name: "dropping and marking wait for the grace period",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      await store.deleteObject(AT);
      expect(await store.dropReleasedManifests({ graceMs: 60_000, limit: 10 })).toBe(0);
      await dropAll(store);
      expect(await store.markCollecting({ graceMs: 60_000, limit: 10 })).toEqual([]);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toHaveLength(1);
      // Marked a moment ago, so it does not count as left by a crashed worker yet.
      expect(await store.markCollecting({ graceMs: 60_000, limit: 10 })).toEqual([]);
    },
  },
  {
    name: "dropping and marking are bounded by their limits",
    async run({ store }) {
      await withBucket(store);
      for (let index = 0; index < 5; index++) {
        await store.commitObject(chunkedCommit(`k${index}`, chunksOf([`c${index}`])));
        await store.deleteObject({ bucket: BUCKET, key: `k${index}` });
      }
      expect(await store.dropReleasedManifests({ graceMs: 0, limit: 2 })).toBe(2);
      expect(await store.dropReleasedManifests({ graceMs: 0, limit: 2 })).toBe(2);
      expect(await store.dropReleasedManifests({ graceMs: 0, limit: 2 })).toBe(1);
      expect(await store.dropReleasedManifests({ graceMs: 0, limit: 2 })).toBe(0);
      expect(await store.markCollecting({ graceMs: 0, limit: 3 })).toHaveLength(3);
    },
  },
  {
    name: "a manifest of many segments is dropped completely",
    async run({ store }) {
      await withBucket(store);
      const names = Array.from({ length: 9000 }, (_, index) => `m${index}`);
      await store.commitObject(chunkedCommit("k", chunksOf(names)));
      await store.deleteObject(AT);
      expect(await store.dropReleasedManifests({ graceMs: 0, limit: 1 })).toBe(1);
      expect(await store.markCollecting({ graceMs: 0, limit: 10_000 })).toHaveLength(9000);
    },
  },
  {
    name: "a collected row is gone, and a commit creates it again",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      await store.deleteObject(AT);
      await dropAll(store);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toEqual([
        { ...chunksOf(["a"])[0]!, layoutVersion: 0 },
      ]);
      expect(await store.knowsChunks([chunkIdOf("a")])).toEqual([true]);
      expect(await store.finishCollecting([removed("a")])).toEqual([chunkIdOf("a")]);
      expect(await store.knowsChunks([chunkIdOf("a")])).toEqual([false]);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      expect(await store.knowsChunks([chunkIdOf("a")])).toEqual([true]);
    },
  },
  {
    name: "a commit takes a chunk back from the collector, and the row stays",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"])));
      await store.deleteObject(AT);
      await dropAll(store);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toHaveLength(2);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      const gone = await store.finishCollecting([removed("a"), removed("b")]);
      expect(gone.map(encodeHex)).toEqual([encodeHex(chunkIdOf("b"))]);
      expect(await store.knowsChunks([chunkIdOf("a"), chunkIdOf("b")])).toEqual([true, false]);
      expect(await collectable(store, ["a"])).toEqual([]);
    },
  },
  {
    name: "a chunk that was taken back after its replicas were removed has all replicas queued for repair",
    async run({ store }) {
      await withBucket(store);
      for (const nodeId of ["n1", "n2", "n3", "n4"]) {
        await store.registerNode({ nodeId, url: `http://${nodeId}`, softwareVersion: "1" });
      }
      const layout = (await store.clusterSnapshot()).layouts[0]!;
      const variation = { layoutVersion: layout.layoutVersion };
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), variation));
      await store.deleteObject(AT);
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), variation));
      expect(await store.finishCollecting([removed("a")])).toEqual([]);
      const repairs = await store.listRepairs({ limit: 10 });
      const wanted = createPlacement(layout).nodesOf(chunkIdOf("a"));
      expect(repairs.map(({ nodeId }) => nodeId).sort()).toEqual([...wanted].sort());
      expect(repairs[0]).toMatchObject({ chunkId: chunkIdOf("a"), sizeBytes: 1000, ...variation });
    },
  },
  {
    name: "a row whose replicas refused is live again, and can be collected later",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      await store.deleteObject(AT);
      await dropAll(store);
      await store.markCollecting({ graceMs: 0, limit: 10 });
      expect(await store.finishCollecting([{ chunkId: chunkIdOf("a"), removed: false }])).toEqual([]);
      // The row is live again: a late worker of an earlier round cannot remove it.
      expect(await store.finishCollecting([removed("a")])).toEqual([]);
      expect(await store.knowsChunks([chunkIdOf("a")])).toEqual([true]);
      expect(await collectable(store, ["a"])).toEqual(["a"]);
    },
  },
  {
    name: "rows that a crashed worker left marked are marked again",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      await store.deleteObject(AT);
      await dropAll(store);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toHaveLength(1);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toHaveLength(1);
      expect(await store.finishCollecting([removed("a")])).toHaveLength(1);
    },
  },
  {
    name: "knowsChunks answers once per id and in order",
    async run({ store }) {
      await withBucket(store);
      const names = Array.from({ length: 700 }, (_, index) => `c${index}`);
      await store.commitObject(chunkedCommit("k", chunksOf(names.filter((_, index) => index % 3 === 0))));
      expect(await store.knowsChunks(names.map(chunkIdOf))).toEqual(names.map((_, index) => index % 3 === 0));
      expect(await store.knowsChunks([])).toEqual([]);
      expect(await store.finishCollecting([])).toEqual([]);
    },
  },
  {
    name: "a walk over all segments finds each chunk of objects, copies and unfinished uploads as often as its row counts",
    async run({ store }) {
      await withBucket(store);
      const names = Array.from({ length: 2500 }, (_, index) => `w${index}`);
      const chunks = (...list: readonly string[]): ReturnType<typeof chunksOf> =>
        list.map((name) => chunksOf([name])[0]!);
      await store.commitObject(chunkedCommit("k", chunks(...names)));
      await store.commitObject(chunkedCommit("l", chunks("a", "w7", "a")));
      await store.copyObject({ sourceBucket: BUCKET, sourceKey: "l", bucket: BUCKET, key: "m" });
      const uploadId = await startUpload(store, "upload");
      await store.putPart(partOf(uploadId, 1, chunks("p", "a")));
      await store.putPart(partOf(uploadId, 2, chunks("q")));
      const met = new Map<string, number>();
      let cursor: string | undefined;
      do {
        const page = await store.listSegments({ cursor, limit: 2 });
        for (const segment of page.segments) {
          for (const { chunkId } of segment.chunks ?? [])
            met.set(encodeHex(chunkId), (met.get(encodeHex(chunkId)) ?? 0) + 1);
        }
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      const ids = [...names, "a", "p", "q"].map(chunkIdOf);
      expect(met.size).toBe(ids.length);
      expect(await store.chunkCounts(ids)).toEqual(ids.map((chunkId) => met.get(encodeHex(chunkId))));
      expect(await store.chunkCounts([chunkIdOf("nobody"), chunkIdOf("a")])).toEqual([undefined, 3]);
    },
  },
  {
    name: "missed replicas are queued for repair once each, and finished by id",
    async run({ store }) {
      await withBucket(store);
      const missed = (name: string, ...missedNodeIds: string[]): Parameters<typeof chunkedCommit>[1][number] => ({
        ...chunksOf([name])[0]!,
        missedNodeIds,
      });
      await store.commitObject(chunkedCommit("k", [missed("a", "n1", "n2"), missed("b")]));
      await store.commitObject(chunkedCommit("l", [missed("a", "n2"), missed("b", "n1")]));
      const repairs = await store.listRepairs({ limit: 10 });
      const shown = repairs.map(({ chunkId, nodeId }) => `${encodeHex(chunkId)} ${nodeId}`).sort();
      const wanted = [
        `${encodeHex(chunkIdOf("a"))} n1`,
        `${encodeHex(chunkIdOf("a"))} n2`,
        `${encodeHex(chunkIdOf("b"))} n1`,
      ];
      expect(shown).toEqual(wanted.sort());
      expect(await store.listRepairs({ limit: 2 })).toHaveLength(2);
      expect(await endRepairs(store, [repairs[0]!.repairId, "nobody"])).toBe(1);
      expect(await store.listRepairs({ limit: 10 })).toHaveLength(2);
    },
  },
  {
    name: "a copy that a reader missed is queued once, if an object names the chunk and a given layout placed it",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(
        chunkedCommit("k", [chunksOf(["a"])[0]!, { ...chunksOf(["b"])[0]!, missedNodeIds: ["n1"] }]),
      );
      await store.commitObject(chunkedCommit("l", chunksOf(["gone"])));
      await store.deleteObject({ bucket: BUCKET, key: "l" });
      await dropAll(store);
      const copy = (name: string, nodeId: string, layoutVersions: readonly number[] = [0]): MissedCopy => {
        return { chunkId: chunkIdOf(name), nodeId, layoutVersions };
      };
      const [older] = await store.listRepairs({ limit: 10 });
      const copies = [
        ...[copy("a", "n1"), copy("a", "n2", [7, 0]), copy("a", "n1")],
        ...[copy("b", "n1"), copy("b", "n2", [7]), copy("gone", "n1"), copy("nobody", "n1")],
      ];
      expect(await store.queueRepairs(copies)).toBe(2);
      expect(await store.queueRepairs(copies)).toBe(0);
      const repairs = await store.listRepairs({ limit: 10 });
      const shown = repairs.map(({ chunkId, nodeId }) => `${encodeHex(chunkId)} ${nodeId}`).sort();
      const [a, b] = ["a", "b"].map((name) => encodeHex(chunkIdOf(name)));
      expect(shown).toEqual([`${a} n1`, `${a} n2`, `${b} n1`].sort());
      expect(repairs.find(({ nodeId }) => nodeId === "n2")).toMatchObject({ sizeBytes: 1000, layoutVersion: 0 });
      // The entry that was there stays: a repair of it that runs now ends it.
      expect(await endRepairs(store, [older!.repairId])).toBe(1);
      expect(await store.listRepairs({ limit: 10 })).toHaveLength(2);
      await expect(store.queueRepairs([copy("a", "not a node id")])).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    },
  },
  {
    name: "a chunk that the collector has marked is not queued for repair",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      await store.deleteObject(AT);
      await dropAll(store);
      expect(await store.markCollecting({ graceMs: 0, limit: 10 })).toHaveLength(1);
      expect(await store.queueRepairs([{ chunkId: chunkIdOf("a"), nodeId: "n1", layoutVersions: [0] }])).toBe(0);
    },
  },
  {
    name: "repairs are listed page by page: those at the front do not hide those behind them",
    async run({ store }) {
      await withBucket(store);
      const nodeIds = ["n1", "n2", "n3", "n4", "n5"];
      await store.commitObject(chunkedCommit("k", [{ ...chunksOf(["a"])[0]!, missedNodeIds: nodeIds }]));
      const listed: string[] = [];
      let after: string | undefined;
      for (let page = 0; page < 3; page++) {
        const repairs = await store.listRepairs({ limit: 2, afterRepairId: after });
        listed.push(...repairs.map(({ nodeId }) => nodeId));
        after = repairs.at(-1)?.repairId;
      }
      expect(listed.sort()).toEqual(nodeIds);
      expect(await store.listRepairs({ limit: 2, afterRepairId: after })).toEqual([]);
    },
  },
  {
    name: "commits, deletes and a collector at the same time never lose a chunk that an object names",
    async run({ store }) {
      await withBucket(store);
      const names = Array.from({ length: 6 }, (_, index) => `r${index}`);
      let done = false;
      const collector = (async () => {
        while (!done) {
          await store.dropReleasedManifests({ graceMs: 0, limit: 100 });
          const marked = await store.markCollecting({ graceMs: 0, limit: 100 });
          // Every replica answers that it has deleted the chunk. Only rows that a commit took back must stay.
          const outcomes = marked.map(({ chunkId }) => ({ chunkId, removed: true }));
          await store.finishCollecting(outcomes);
        }
      })();
      const writer = async (seed: number): Promise<void> => {
        for (let round = 0; round < 40; round++) {
          const key = `k${(seed + round) % 4}`;
          const chunks = chunksOf(names).filter((_, index) => ((seed * 7 + round) >> (index % 4)) % 2 === 0);
          if (chunks.length > 0) await store.commitObject(chunkedCommit(key, chunks));
          if (round % 3 === 0) await store.deleteObject({ bucket: BUCKET, key });
        }
      };
      await Promise.all([1, 2, 3, 4].map(writer));
      done = true;
      await collector;
      const { objects } = await store.listObjects({ bucket: BUCKET });
      for (const { key } of objects) {
        const { page } = (await store.getObject({ bucket: BUCKET, key })) ?? {};
        const known = await store.knowsChunks((page?.chunks ?? []).map(({ chunkId }) => chunkId));
        expect(known.every(Boolean), `chunks of ${key}`).toBe(true);
        await store.deleteObject({ bucket: BUCKET, key });
      }
      await dropAll(store);
      const known = await store.knowsChunks(names.map(chunkIdOf));
      expect(await collectable(store, names)).toEqual(names.filter((_, index) => known[index]));
    },
  },
  {
    name: "a database keeps its id, and a step raises its epoch by one, but only from the current epoch",
    async run({ store, subject }) {
      const first = await store.databaseMark();
      expect(first).toMatchObject({ epoch: 0, takesOver: false });
      expect(first.databaseId).toMatch(/^[0-9a-f]{32}$/);
      await Promise.all([store.advanceDatabase(0), store.advanceDatabase(0)]);
      await store.advanceDatabase(7);
      expect(await store.databaseMark()).toMatchObject({ databaseId: first.databaseId, epoch: 1 });
      if (!store.capabilities.persistent) return;
      const again = await subject.reopen();
      expect(await again.databaseMark()).toMatchObject({ databaseId: first.databaseId, epoch: 1 });
    },
  },
  {
    name: "a database that was accepted takes over until the next step, with an epoch that no count reaches",
    async run({ store }) {
      await store.acceptDatabase({ keepOlder: true });
      const accepted = await store.databaseMark();
      expect(accepted).toMatchObject({ takesOver: true });
      expect(accepted.epoch).toBeGreaterThan(1_000_000);
      await store.acceptDatabase({ keepOlder: false });
      const released = await store.databaseMark();
      expect(released.epoch).toBeGreaterThan(accepted.epoch);
      expect(released.ageMs).toBeGreaterThan(accepted.ageMs + 1_000_000);
      await store.advanceDatabase(released.epoch);
      expect(await store.databaseMark()).toMatchObject({ takesOver: false, epoch: released.epoch + 1 });
    },
  },
  {
    name: "the examination of a sound database finds nothing",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k"));
      expect(await store.checkIntegrity()).toEqual([]);
    },
  },
];
