import { expect } from "vitest";
import { type TestChunk, testChunk, testChunks } from "../test-bytes.ts";
import type { ChunkStoreCase } from "./contract-case.ts";
import { expectBytes, expectCode, expectKept } from "./expectations.ts";

const NOW = Object.freeze({ unclaimedForMs: 0 });
const LOOK = Object.freeze({ claim: false });

/** Cases of `hasChunks` and `deleteChunks`, without those about claims. */
export const BATCH_CASES: readonly ChunkStoreCase[] = [
  {
    name: "has answers once per id and in order",
    async run({ store }) {
      const [a, b, absent] = (await testChunks(3, 100)) as [TestChunk, TestChunk, TestChunk];
      await store.putChunk(a.chunkId, a.bytes);
      await store.putChunk(b.chunkId, b.bytes);
      for (const claim of [false, true]) {
        const ids = [absent.chunkId, b.chunkId, a.chunkId, absent.chunkId, b.chunkId];
        const sizes = (await store.hasChunks(ids, { claim })).map((presence) => presence?.sizeBytes);
        expect(sizes).toEqual([undefined, 101, 100, undefined, 101]);
      }
    },
  },
  {
    name: "has of no ids returns an empty list",
    async run({ store }) {
      expect(await store.hasChunks([], LOOK)).toEqual([]);
    },
  },
  {
    name: "has takes 1,000 ids and refuses 1,001",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(10, 1);
      const absent = await testChunk(10, 2);
      await store.putChunk(chunkId, bytes);
      const ids = [...Array.from({ length: 999 }, () => absent.chunkId), chunkId];
      const found = await store.hasChunks(ids, LOOK);
      expect(found.map((presence) => presence?.sizeBytes)).toEqual([
        ...Array.from({ length: 999 }, () => undefined),
        10,
      ]);
      await expectCode(store.hasChunks([...ids, chunkId], LOOK), "INVALID_ARGUMENT");
    },
  },
  {
    name: "has refuses illegal arguments",
    async run({ store }) {
      const { chunkId } = await testChunk(10, 1);
      await expectCode(store.hasChunks([chunkId, chunkId.subarray(1) as never], LOOK), "INVALID_ARGUMENT");
      await expectCode(store.hasChunks(chunkId as never, LOOK), "INVALID_ARGUMENT");
      await expectCode(store.hasChunks([chunkId], {} as never), "INVALID_ARGUMENT");
    },
  },
  {
    name: "100 has calls at once are each answered",
    async run({ store }) {
      const chunks = await testChunks(100, 50);
      for (const { chunkId, bytes } of chunks.slice(0, 50)) await store.putChunk(chunkId, bytes);
      const answers = await Promise.all(chunks.map(({ chunkId }) => store.hasChunks([chunkId], LOOK)));
      const expected = chunks.map((_, index) => (index < 50 ? 50 + index : undefined));
      expect(answers.map(([presence]) => presence?.sizeBytes)).toEqual(expected);
    },
  },
  {
    name: "delete removes a chunk from every view, and it can be put again",
    async run({ store, subject }) {
      const chunk = await testChunk(5000, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      expect(await store.deleteChunks([chunk.chunkId], NOW)).toEqual(["deleted"]);
      expect(await store.getChunk(chunk.chunkId)).toBeUndefined();
      expect(await store.hasChunks([chunk.chunkId], LOOK)).toEqual([undefined]);
      expect((await store.listChunks()).chunks).toEqual([]);
      await expectKept(subject, []);
      expect(await store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "delete answers once per id and in order, and leaves the others alone",
    async run({ store, subject }) {
      const [a, b, c, absent] = (await testChunks(4, 100)) as [TestChunk, TestChunk, TestChunk, TestChunk];
      for (const { chunkId, bytes } of [a, b, c]) await store.putChunk(chunkId, bytes);
      const ids = [absent.chunkId, b.chunkId, a.chunkId, b.chunkId];
      expect(await store.deleteChunks(ids, NOW)).toEqual(["absent", "deleted", "deleted", "absent"]);
      expect(await store.deleteChunks([], NOW)).toEqual([]);
      expectBytes(await store.getChunk(c.chunkId), c.bytes);
      await expectKept(subject, [c]);
    },
  },
  {
    name: "of 100 deletes of one chunk at once, one deletes it",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(5000, 1);
      await store.putChunk(chunkId, bytes);
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => store.deleteChunks([chunkId], NOW)));
      expect(outcomes.flat().sort()).toEqual([...Array.from({ length: 99 }, () => "absent"), "deleted"]);
      await expectKept(subject, []);
    },
  },
  {
    name: "delete takes 1,000 ids and refuses 1,001",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(10, 1);
      await store.putChunk(chunkId, bytes);
      const absent = await testChunk(10, 2);
      const ids = [...Array.from({ length: 999 }, () => absent.chunkId), chunkId];
      await expectCode(store.deleteChunks([...ids, chunkId], NOW), "INVALID_ARGUMENT");
      expect(await store.hasChunks([chunkId], LOOK)).toEqual([{ sizeBytes: 10 }]);
      expect((await store.deleteChunks(ids, NOW)).filter((outcome) => outcome === "deleted")).toHaveLength(1);
    },
  },
  {
    name: "delete refuses illegal arguments and deletes nothing",
    async run({ store, subject }) {
      const chunk = await testChunk(10, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      for (const unclaimedForMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, undefined as never, "0" as never]) {
        await expectCode(store.deleteChunks([chunk.chunkId], { unclaimedForMs }), "INVALID_ARGUMENT");
      }
      await expectCode(store.deleteChunks([chunk.chunkId, "x" as never], NOW), "INVALID_ARGUMENT");
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "a read during a delete returns the right bytes or nothing",
    async run({ store }) {
      const chunks = await testChunks(50, 100_000);
      for (const { chunkId, bytes } of chunks) await store.putChunk(chunkId, bytes);
      await Promise.all(
        chunks.map(async ({ chunkId, bytes }) => {
          const [found] = await Promise.all([store.getChunk(chunkId), store.deleteChunks([chunkId], NOW)]);
          if (found !== undefined) expectBytes(found, bytes);
          expect(await store.getChunk(chunkId)).toBeUndefined();
        }),
      );
    },
  },
];
