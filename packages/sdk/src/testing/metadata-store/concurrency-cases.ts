import { expect } from "vitest";
import { AshlarError } from "../../errors/index.ts";
import type { MetadataStore, ObjectInfo } from "../../ports/index.ts";
import { ifShared, type MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunkedCommit,
  chunksOf,
  collectable,
  dropAll,
  inlineCommit,
  keysOf,
  partOf,
  startUpload,
  textOf,
  withBucket,
} from "./fixtures.ts";

const WRITERS = 50;

/** Counts how many calls succeeded; all others must have been refused by their condition. */
function winners(results: ReadonlyArray<PromiseSettledResult<unknown>>): number {
  for (const result of results) {
    if (result.status === "rejected" && !AshlarError.is(result.reason, "PRECONDITION_FAILED")) throw result.reason;
  }
  return results.filter(({ status }) => status === "fulfilled").length;
}

/** Raises a counter in an object by compare and swap. */
async function raiseCounter(store: MetadataStore, times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const stored = await store.getObject({ bucket: BUCKET, key: "counter" });
    const next = Number(new TextDecoder().decode(stored?.inline)) + 1;
    const condition = { ifMatch: stored?.info.etag ?? "" };
    try {
      await store.commitObject(inlineCommit("counter", String(next), { condition }));
      done++;
    } catch (error) {
      if (!AshlarError.is(error, "PRECONDITION_FAILED")) throw error;
    }
  }
}

export const CONCURRENCY_CASES: readonly MetadataStoreCase[] = [
  {
    name: 'of 50 writers of one key with ifNoneMatch "*" exactly one wins',
    async run({ store }) {
      await withBucket(store);
      for (let round = 0; round < 3; round++) {
        const key = `k${round}`;
        const condition = { ifNoneMatch: "*" };
        const commits = Array.from({ length: WRITERS }, (_, index) =>
          store.commitObject(inlineCommit(key, `writer ${index}`, { condition })),
        );
        const results = await Promise.allSettled(commits);
        expect(winners(results)).toBe(1);
        const winner = results.findIndex(({ status }) => status === "fulfilled");
        expect(await textOf(store, key)).toBe(`writer ${winner}`);
      }
    },
  },
  {
    name: "of 50 deleters of one version exactly one deletes",
    async run({ store }) {
      await withBucket(store);
      const { etag } = await store.commitObject(inlineCommit("k"));
      const at = { bucket: BUCKET, key: "k" };
      const plain = await Promise.all(Array.from({ length: WRITERS }, () => store.deleteObject(at)));
      expect(plain.filter(Boolean)).toHaveLength(1);
      await store.commitObject(inlineCommit("k"));
      const deletes = Array.from({ length: WRITERS }, () =>
        store.deleteObject({ ...at, condition: { ifMatch: etag } }),
      );
      expect(winners(await Promise.allSettled(deletes))).toBe(1);
    },
  },
  {
    name: "of 50 writers that list the current etag exactly one wins",
    async run({ store }) {
      await withBucket(store);
      const { etag } = await store.commitObject(inlineCommit("k", "before"));
      const commits = Array.from({ length: 50 }, (_, index) => {
        const condition = { ifMatchAny: ["other", etag] };
        return store.commitObject(inlineCommit("k", `writer ${index}`, { condition }));
      });
      const outcomes = await Promise.allSettled(commits);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "PRECONDITION_FAILED" });
      }
    },
  },
  {
    name: "a counter that four clients raise with ifMatch loses no step",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("counter", "0"));
      await Promise.all(Array.from({ length: 4 }, () => raiseCounter(store, 10)));
      expect(await textOf(store, "counter")).toBe("40");
    },
  },
  {
    name: "50 writers of one key and one chunk leave one object and the right count",
    async run({ store }) {
      await withBucket(store);
      const chunks = chunksOf(["a", "b", "c"]);
      await Promise.all(
        Array.from({ length: WRITERS }, (_, index) =>
          // Both orders of the same chunks: the store must still lock the rows in one order.
          store.commitObject(chunkedCommit("k", index % 2 === 0 ? chunks : chunks.toReversed())),
        ),
      );
      expect(await keysOf(store)).toEqual(["k"]);
      expect(await dropAll(store)).toBe(WRITERS - 1);
      expect(await collectable(store, ["a", "b", "c"])).toEqual([]);
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await dropAll(store);
      expect(await collectable(store, ["a", "b", "c"])).toEqual(["a", "b", "c"]);
    },
  },
  {
    name: "copies in opposite directions, overwrites and deletes at once end well",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("a", chunksOf(["a", "b"])));
      await store.commitObject(chunkedCommit("b", chunksOf(["a", "b"]).toReversed()));
      const copy = (sourceKey: string, key: string): Promise<unknown> =>
        store.copyObject({ sourceBucket: BUCKET, sourceKey, bucket: BUCKET, key });
      await Promise.all(Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? copy("a", "b") : copy("b", "a"))));
      for (const key of ["a", "b"]) {
        expect((await store.getObject({ bucket: BUCKET, key }))?.page?.chunks).toHaveLength(2);
      }
      await dropAll(store);
      expect(await collectable(store, ["a", "b"])).toEqual([]);
      for (const key of ["a", "b"]) await store.deleteObject({ bucket: BUCKET, key });
      await dropAll(store);
      expect(await collectable(store, ["a", "b"])).toEqual(["a", "b"]);
    },
  },
  {
    name: "times of one key never go back: what stays of puts, copies and completed uploads at once is not older than any of them",
    async run({ subject, store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("source"));
      const stores = store.capabilities.sharedByProcesses ? [store, await subject.second()] : [store];
      const complete = async (one: MetadataStore): Promise<() => Promise<ObjectInfo>> => {
        const uploadId = await startUpload(store, "k");
        const { partNumber, etag } = await store.putPart(partOf(uploadId, 1, chunksOf(["a"])));
        return () => one.completeUpload({ uploadId, parts: [{ partNumber, etag }] });
      };
      const copy = { sourceBucket: BUCKET, sourceKey: "source", bucket: BUCKET, key: "k" };
      for (let round = 0; round < 3; round++) {
        const writes: (() => Promise<ObjectInfo>)[] = [];
        for (let index = 0; index < 6; index++)
          for (const one of stores) {
            writes.push(() => one.commitObject(inlineCommit("k", `${index}`)));
            writes.push(await complete(one));
            writes.push(() => one.copyObject(copy));
          }
        const infos = await Promise.all(writes.map((write) => write()));
        const last = await store.getObject({ bucket: BUCKET, key: "k" });
        for (const { createdAtMs } of infos) expect(last?.info.createdAtMs).toBeGreaterThanOrEqual(createdAtMs);
      }
      const put = await store.commitObject(inlineCommit("k"));
      const completed = await (await complete(store))();
      expect(completed.createdAtMs).toBeGreaterThanOrEqual(put.createdAtMs);
    },
  },
  {
    name: "an object that is moved back and forth is in each listing once, and moves at once in opposite directions lose nothing",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("a", chunksOf(["a", "b"])));
      const move = (sourceKey: string, key: string): Promise<boolean> =>
        store.moveObject({ sourceBucket: BUCKET, sourceKey, bucket: BUCKET, key }).then(
          () => true,
          (error: unknown) => {
            if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return false;
            throw error;
          },
        );
      let moving = true;
      const listing = (async (): Promise<void> => {
        while (moving) {
          const { objects } = await store.listObjects({ bucket: BUCKET });
          expect(objects.map(({ key }) => key)).toHaveLength(1);
        }
      })();
      for (let round = 0; round < 10; round++) {
        const moved = await Promise.all([move("a", "b"), move("b", "a"), move("a", "b"), move("b", "a")]);
        expect(moved).toContain(true);
      }
      moving = false;
      await listing;
      await dropAll(store);
      expect(await collectable(store, ["a", "b"])).toEqual([]);
    },
  },
  {
    name: "readers during overwrites see one whole version or the other",
    async run({ store }) {
      await withBucket(store);
      const versions = [0, 1, 2].map((index) => chunksOf([`${index}a`, `${index}b`, `${index}c`], 1000 * (index + 1)));
      await store.commitObject(chunkedCommit("k", versions[0]!));
      let done = false;
      const reader = async (): Promise<number> => {
        let reads = 0;
        for (; !done; reads++) {
          const stored = await store.getObject({ bucket: BUCKET, key: "k" });
          const total = stored?.page?.chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
          expect(total).toBe(stored?.info.sizeBytes);
          expect(stored?.page?.chunks).toHaveLength(3);
        }
        return reads;
      };
      const readers = [reader(), reader()];
      for (let round = 0; round < 60; round++) {
        await store.commitObject(chunkedCommit("k", versions[round % 3]!));
        if (round % 10 === 0) await dropAll(store);
      }
      done = true;
      for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(0);
    },
  },
  {
    name: "writers through two stores on the same data exclude each other",
    applies: ifShared,
    async run({ store, subject }) {
      await withBucket(store);
      const second = await subject.second();
      const condition = { ifNoneMatch: "*" };
      const commits = Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? store : second).commitObject(inlineCommit("k", String(index), { condition })),
      );
      expect(winners(await Promise.allSettled(commits))).toBe(1);
      await store.commitObject(inlineCommit("counter", "0"));
      await Promise.all([raiseCounter(store, 10), raiseCounter(second, 10)]);
      expect(await textOf(store, "counter")).toBe("20");
    },
  },
];
