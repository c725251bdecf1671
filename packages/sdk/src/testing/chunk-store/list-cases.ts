import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import type { ChunkStore, ListedChunk } from "../../ports/index.ts";
import { type TestChunk, testChunk, testChunks } from "../test-bytes.ts";
import type { ChunkStoreCase } from "./contract-case.ts";
import { expectCode } from "./expectations.ts";

const PAGES_MAX = 200;

async function listAll(
  store: ChunkStore,
  limit: number | undefined,
  between?: () => Promise<unknown>,
): Promise<ListedChunk[]> {
  const found: ListedChunk[] = [];
  let cursor: string | undefined;
  for (let pages = 0; ; pages++) {
    expect(pages, "pages").toBeLessThan(PAGES_MAX);
    const page = await store.listChunks({ limit, cursor });
    expect(page.chunks.length).toBeLessThanOrEqual(limit ?? 1000);
    found.push(...page.chunks);
    cursor = page.nextCursor;
    if (cursor === undefined) return found;
    await between?.();
  }
}

const idsOf = (chunks: ReadonlyArray<Pick<TestChunk, "chunkId">>): string[] =>
  chunks.map(({ chunkId }) => encodeHex(chunkId));

async function putAll(store: ChunkStore, chunks: readonly TestChunk[]): Promise<void> {
  await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
}

export const LIST_CASES: readonly ChunkStoreCase[] = [
  {
    name: "a new store lists nothing and has no next page",
    async run({ store }) {
      const page = await store.listChunks();
      expect(page.chunks).toEqual([]);
      expect(page.nextCursor).toBeUndefined();
    },
  },
  {
    name: "list returns every chunk once, in digest order, with its size, for every page size",
    async run({ store }) {
      const chunks = await testChunks(60, 10);
      await putAll(store, chunks);
      const expected = chunks.map(({ chunkId, bytes }) => `${encodeHex(chunkId)} ${bytes.byteLength}`).sort();
      for (const limit of [1, 7, 59, 60, 61, 1000, undefined]) {
        const listed = await listAll(store, limit);
        expect(listed.map(({ chunkId, sizeBytes }) => `${encodeHex(chunkId)} ${sizeBytes}`)).toEqual(expected);
      }
    },
  },
  {
    name: "a full page that is the last one has no next page",
    async run({ store }) {
      await putAll(store, await testChunks(6, 10));
      const first = await store.listChunks({ limit: 3 });
      expect(first.chunks).toHaveLength(3);
      const second = await store.listChunks({ limit: 3, cursor: first.nextCursor });
      expect(second.chunks).toHaveLength(3);
      expect(second.nextCursor).toBeUndefined();
    },
  },
  {
    name: "chunks that are there all the time are listed exactly once while others come and go",
    async run({ store }) {
      const staying = await testChunks(30, 10, 1);
      const going = await testChunks(20, 10, 2);
      const coming = await testChunks(20, 10, 3);
      await putAll(store, [...staying, ...going]);
      const listed = idsOf(
        await listAll(store, 4, async () => {
          const [gone, come] = [going.pop(), coming.pop()];
          if (gone !== undefined) await store.deleteChunks([gone.chunkId], { unclaimedForMs: 0 });
          if (come !== undefined) await putAll(store, [come]);
        }),
      );
      expect(listed).toEqual([...new Set(listed)].sort());
      expect(listed).toEqual(expect.arrayContaining(idsOf(staying)));
    },
  },
  {
    name: "the cursor of a page works after the chunk at its end was deleted",
    async run({ store }) {
      await putAll(store, await testChunks(5, 10));
      const all = idsOf((await store.listChunks()).chunks);
      const page = await store.listChunks({ limit: 2 });
      await store.deleteChunks([page.chunks[1]!.chunkId], { unclaimedForMs: 0 });
      const rest = await store.listChunks({ cursor: page.nextCursor });
      expect(idsOf(rest.chunks)).toEqual(all.slice(2));
    },
  },
  {
    name: "100 listings at once are equal",
    async run({ store }) {
      const chunks = await testChunks(20, 10);
      await putAll(store, chunks);
      const pages = await Promise.all(Array.from({ length: 100 }, () => store.listChunks({ limit: 20 })));
      for (const page of pages) expect(idsOf(page.chunks)).toEqual(idsOf(chunks).sort());
    },
  },
  {
    name: "list refuses illegal limits and cursors",
    async run({ store }) {
      for (const limit of [0, -1, 1001, 1.5, Number.NaN, "10" as never]) {
        await expectCode(store.listChunks({ limit }), "INVALID_ARGUMENT");
      }
      await expectCode(store.listChunks({ cursor: "../../etc" }), "INVALID_ARGUMENT");
      await expectCode(store.listChunks({ cursor: 7 as never }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "stats count chunks and payload bytes through puts, repeated puts and deletes",
    async run({ store }) {
      expect(await store.stats()).toMatchObject({ chunkCount: 0, bytesUsed: 0 });
      const chunks = await testChunks(10, 1000);
      await putAll(store, chunks);
      await putAll(store, chunks);
      expect(await store.stats()).toMatchObject({ chunkCount: 10, bytesUsed: 10_045 });
      const [first, second] = chunks as [TestChunk, TestChunk];
      await store.deleteChunks([first.chunkId, second.chunkId, second.chunkId], { unclaimedForMs: 0 });
      expect(await store.stats()).toMatchObject({ chunkCount: 8, bytesUsed: 8044 });
    },
  },
  {
    name: "a refused put and a refused delete leave the stats as they are",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(1000, 1);
      await store.putChunk(chunkId, bytes);
      await store.putChunk(chunkId, bytes.subarray(1)).catch(() => {});
      await store.deleteChunks([chunkId], { unclaimedForMs: 3_600_000 });
      expect(await store.stats()).toMatchObject({ chunkCount: 1, bytesUsed: 1000 });
    },
  },
  {
    name: "stats have a disk's free and total bytes, or neither",
    async run({ store }) {
      const { bytesFree, bytesTotal } = await store.stats();
      expect(bytesFree === undefined).toBe(bytesTotal === undefined);
      if (bytesFree === undefined || bytesTotal === undefined) return;
      expect(bytesFree).toBeGreaterThanOrEqual(0);
      expect(bytesTotal).toBeGreaterThanOrEqual(bytesFree);
    },
  },
];
