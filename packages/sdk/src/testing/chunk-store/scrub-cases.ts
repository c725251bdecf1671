import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import { isScrubbingChunkStore, type ScrubbingChunkStore, type ScrubRecord } from "../../ports/index.ts";
import { type TestChunk, testChunk, testChunks } from "../test-bytes.ts";
import { expectAge } from "./claim-cases.ts";
import type { ChunkStoreCase, ChunkStoreCaseContext, ChunkStoreSubject } from "./contract-case.ts";
import { expectBytes, expectKept } from "./expectations.ts";

/** The store of a context, which is known to check its chunks. */
function scrubbing({ subject }: Pick<ChunkStoreCaseContext, "subject">): ScrubbingChunkStore {
  if (!isScrubbingChunkStore(subject.store)) throw new TypeError("the case needs a store that checks its chunks");
  return subject.store;
}

async function damage(subject: ChunkStoreSubject, { chunkId }: TestChunk): Promise<void> {
  if (subject.damage === undefined) throw new TypeError("a subject whose store checks its chunks needs damage()");
  await subject.damage(chunkId);
}

const RECORD: ScrubRecord = {
  sinceMs: 1_000_000,
  current: {
    ...{ startedAtMs: 2_000_000, chunkCount: 3, byteCount: 2 ** 40, damagedCount: 1 },
    ...{ pageCursor: "ab".repeat(32), lastChunkId: "ac".repeat(32) },
  },
  last: { startedAtMs: 1_000_001, endedAtMs: 1_500_000, chunkCount: 7, byteCount: 700, damagedCount: 0 },
};

const CASES: readonly ChunkStoreCase[] = [
  {
    name: "a check of a sound chunk reads all of it, at the pace that it is given, and changes nothing",
    async run(context) {
      const store = scrubbing(context);
      const chunk = await testChunk(store.capabilities.chunkMaxBytes, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      const paced: number[] = [];
      const pace = async (bytes: number): Promise<void> => void paced.push(bytes);
      const sizeBytes = chunk.bytes.byteLength;
      expect(await store.scrubChunk(chunk.chunkId, { pace })).toEqual({ state: "sound", sizeBytes });
      expect(paced.reduce((sum, bytes) => sum + bytes, 0)).toBe(sizeBytes);
      expect(paced.length).toBeGreaterThan(1);
      expect(await store.lostChunks()).toEqual([]);
      await expectKept(context.subject, [chunk]);
    },
  },
  {
    name: "a check claims nothing",
    run: (context) => expectAge(context, false, ({ chunkId }) => scrubbing(context).scrubChunk(chunkId)),
  },
  {
    name: "a chunk that is not there, or was deleted, is absent and not damaged",
    async run(context) {
      const store = scrubbing(context);
      const [chunk, never] = (await testChunks(2, 5000)) as [TestChunk, TestChunk];
      await store.putChunk(chunk.chunkId, chunk.bytes);
      await store.deleteChunks([chunk.chunkId], { unclaimedForMs: 0 });
      expect(await store.scrubChunk(chunk.chunkId)).toEqual({ state: "absent", sizeBytes: 0 });
      expect(await store.scrubChunk(never.chunkId)).toEqual({ state: "absent", sizeBytes: 0 });
      expect(await store.lostChunks()).toEqual([]);
    },
  },
  {
    name: "a damaged chunk is found, put aside and lost, until it is put again; its neighbours stay",
    async run(context) {
      const store = scrubbing(context);
      const [chunk, neighbour] = (await testChunks(2, 200_000)) as [TestChunk, TestChunk];
      for (const { chunkId, bytes } of [chunk, neighbour]) await store.putChunk(chunkId, bytes);
      await damage(context.subject, chunk);
      const found = await store.scrubChunk(chunk.chunkId);
      expect(found).toMatchObject({ state: "damaged", problem: expect.stringMatching(/./) });
      expect(await store.getChunk(chunk.chunkId)).toBeUndefined();
      expect((await store.lostChunks()).map(encodeHex)).toEqual([encodeHex(chunk.chunkId)]);
      expect(await store.scrubChunk(chunk.chunkId)).toMatchObject({ state: "absent" });
      expect(await store.scrubChunk(neighbour.chunkId)).toMatchObject({ state: "sound" });
      expect(await store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
      expectBytes(await store.getChunk(chunk.chunkId), chunk.bytes);
      expect(await store.lostChunks()).toEqual([]);
    },
  },
  {
    name: "a damaged chunk that a reader met is lost too, also after reopening",
    async run(context) {
      const chunk = await testChunk(5000, 1);
      const store = scrubbing(context);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      await damage(context.subject, chunk);
      await expect(store.getChunk(chunk.chunkId)).rejects.toMatchObject({ code: "CHUNK_CORRUPT" });
      expect(await store.lostChunks()).toHaveLength(1);
      await context.subject.reopen();
      expect((await scrubbing(context).lostChunks()).map(encodeHex)).toEqual([encodeHex(chunk.chunkId)]);
    },
  },
  {
    name: "what is kept of a pass is there after reopening, and nothing is before the first time",
    async run(context) {
      const store = scrubbing(context);
      expect(await store.readScrubRecord()).toBeUndefined();
      await store.writeScrubRecord({ sinceMs: 5 });
      expect(await store.readScrubRecord()).toEqual({ sinceMs: 5 });
      await store.writeScrubRecord(RECORD);
      expect(await store.readScrubRecord()).toEqual(RECORD);
      await context.subject.reopen();
      expect(await scrubbing(context).readScrubRecord()).toEqual(RECORD);
    },
  },
];

export const SCRUB_CASES: readonly ChunkStoreCase[] = CASES.map((scrubCase) => ({
  ...scrubCase,
  applies: isScrubbingChunkStore,
}));
