import { expect } from "vitest";
import type { LocatedChunk, MetadataStore } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunkedCommit,
  chunksOf,
  dropAll,
  inlineCommit,
  partOf,
  startUpload,
  totalBytes,
  withBucket,
} from "./fixtures.ts";

const AT = { bucket: BUCKET, key: "k" };

/** Chunks with the offsets that they must have. */
function located(chunks: ReturnType<typeof chunksOf>): LocatedChunk[] {
  let offset = 0;
  return chunks.map((chunk) => {
    const result = { ...chunk, offset };
    offset += chunk.sizeBytes;
    return result;
  });
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`);

/** Reads a manifest page by page. Checks that pages are full, follow each other without a gap, and that only the last has no next offset. */
async function readAll(store: MetadataStore, limit: number): Promise<LocatedChunk[]> {
  const stored = await store.getObject({ ...AT, chunkLimit: limit });
  const chunks = [...(stored?.page?.chunks ?? [])];
  let nextOffset = stored?.page?.nextOffset;
  while (nextOffset !== undefined) {
    expect(chunks.length % limit, "chunks of full pages").toBe(0);
    const page = await store.getManifestPage({ manifestId: stored?.manifestId ?? "", fromOffset: nextOffset, limit });
    expect(page.chunks[0]?.offset).toBe(nextOffset);
    chunks.push(...page.chunks);
    nextOffset = page.nextOffset;
  }
  return chunks;
}

export const MANIFEST_CASES: readonly MetadataStoreCase[] = [
  {
    name: "the chunks of an object are returned in order with their offsets, for every page size",
    async run({ store }) {
      await withBucket(store);
      const chunks = chunksOf(names(2500));
      await store.commitObject(chunkedCommit("k", chunks));
      for (const limit of [1024, 1000, 313]) expect(await readAll(store, limit)).toEqual(located(chunks));
    },
  },
  {
    name: "a page begins with the chunk that contains the offset, at every border",
    async run({ store }) {
      await withBucket(store);
      const all = located(chunksOf(names(2100)));
      const { sizeBytes } = await store.commitObject(chunkedCommit("k", chunksOf(names(2100))));
      for (const index of [0, 1, 1023, 1024, 1025, 2047, 2048, 2099]) {
        const { offset, sizeBytes: length } = all[index]!;
        for (const fromOffset of [offset, offset + 1, offset + length - 1]) {
          const stored = await store.getObject({ ...AT, fromOffset, chunkLimit: 2 });
          expect(stored?.page?.chunks).toEqual(all.slice(index, index + 2));
          expect(stored?.page?.nextOffset).toBe(all[index + 2]?.offset);
        }
      }
      for (const fromOffset of [sizeBytes, sizeBytes + 1, Number.MAX_SAFE_INTEGER]) {
        expect((await store.getObject({ ...AT, fromOffset }))?.page).toEqual({ chunks: [] });
      }
    },
  },
  {
    name: "no chunks are read if none are wanted",
    async run({ store }) {
      await withBucket(store);
      const info = await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      const stored = await store.getObject({ ...AT, chunkLimit: 0 });
      expect(stored?.info).toEqual(info);
      expect(stored?.page).toBeUndefined();
    },
  },
  {
    name: "a chunk that occurs several times keeps its places",
    async run({ store }) {
      await withBucket(store);
      const chunks = chunksOf(["a", "b", "a", "a", "b"]);
      await store.commitObject(chunkedCommit("k", chunks));
      expect(await readAll(store, 2)).toEqual(located(chunks));
    },
  },
  {
    name: "an object of many parts reads as one",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      // Part sizes on both sides of a segment's 1,024 chunks; an empty part in the middle; parts written out of order.
      const sizes = [1, 1024, 0, 1025, 2, 700];
      const all = chunksOf(names(sizes.reduce((sum, size) => sum + size, 0)));
      let first = 0;
      const parts = sizes.map((size, index) => {
        const part = partOf(uploadId, index * 3 + 1, all.slice(first, first + size));
        first += size;
        return part;
      });
      await Promise.all(parts.toReversed().map((part) => store.putPart(part)));
      const info = await store.completeUpload({
        uploadId,
        parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      });
      expect(info.sizeBytes).toBe(totalBytes(all));
      expect(await readAll(store, 1024)).toEqual(located(all));
      expect(await readAll(store, 500)).toEqual(located(all));
      for (const chunk of located(all).filter(
        (_, index) => index % 97 === 0 || [1, 1025, 2050, 2052].includes(index),
      )) {
        const fromOffset = chunk.offset + chunk.sizeBytes - 1;
        expect((await store.getObject({ ...AT, fromOffset, chunkLimit: 1 }))?.page?.chunks).toEqual([chunk]);
      }
    },
  },
  {
    name: "a manifest stays readable after its object is overwritten or deleted, until it is dropped",
    async run({ store }) {
      await withBucket(store);
      const all = located(chunksOf(names(5)));
      await store.commitObject(chunkedCommit("k", chunksOf(names(5))));
      const { manifestId = "" } = (await store.getObject(AT)) ?? {};
      await store.commitObject(inlineCommit("k", "new"));
      expect((await store.getManifestPage({ manifestId, fromOffset: 0 })).chunks).toEqual(all);
      expect(await store.dropReleasedManifests({ graceMs: 3_600_000, limit: 10 })).toBe(0);
      expect((await store.getManifestPage({ manifestId, fromOffset: all[2]!.offset })).chunks).toEqual(all.slice(2));
      expect(await dropAll(store)).toBe(1);
      await expectCode(store.getManifestPage({ manifestId, fromOffset: 0 }), "OBJECT_NOT_FOUND");
      await expectCode(store.getManifestPage({ manifestId: "nobody", fromOffset: 0 }), "OBJECT_NOT_FOUND");
    },
  },
  {
    name: "the chunks of an open upload cannot be read as a manifest",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      await store.putPart(partOf(uploadId, 1, chunksOf(["a"])));
      await expectCode(store.getManifestPage({ manifestId: uploadId, fromOffset: 0 }), "OBJECT_NOT_FOUND");
      expect(await store.getObject(AT)).toBeUndefined();
    },
  },
  {
    name: "bad arguments of reads are refused",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      const { manifestId = "" } = (await store.getObject(AT)) ?? {};
      for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await expectCode(store.getObject({ ...AT, fromOffset: bad }), "INVALID_ARGUMENT");
        await expectCode(store.getManifestPage({ manifestId, fromOffset: bad }), "INVALID_ARGUMENT");
      }
      for (const limit of [0, -1, 1025]) {
        await expectCode(store.getManifestPage({ manifestId, fromOffset: 0, limit }), "INVALID_ARGUMENT");
      }
      await expectCode(store.getObject({ ...AT, chunkLimit: 1025 }), "INVALID_ARGUMENT");
      await expectCode(store.getManifestPage({ manifestId: "a\0b", fromOffset: 0 }), "INVALID_ARGUMENT");
    },
  },
];
