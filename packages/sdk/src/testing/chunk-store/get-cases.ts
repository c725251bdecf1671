import { expect } from "vitest";
import * as LIMITS from "../../limit-values.ts";
import { testChunk, testChunks } from "../test-bytes.ts";
import type { ChunkStoreCase } from "./contract-case.ts";
import { expectBytes, expectCode } from "./expectations.ts";

const BLOCK = LIMITS.CHECKSUM_BLOCK_BYTES;
/** Twelve blocks and a short one: large enough that a store reads only parts of the chunk. */
const RANGED_BYTES = 12 * BLOCK + 777;

/** Ranges start and end at every pair of these: both sides of block borders, and both ends of the chunk. */
const BORDERS = [
  0,
  1,
  BLOCK - 1,
  BLOCK,
  BLOCK + 1,
  7 * BLOCK,
  12 * BLOCK - 1,
  12 * BLOCK,
  RANGED_BYTES - 1,
  RANGED_BYTES,
];

export const GET_CASES: readonly ChunkStoreCase[] = [
  {
    name: "get of an absent chunk is undefined",
    async run({ store }) {
      const { chunkId } = await testChunk(10, 1);
      expect(await store.getChunk(chunkId)).toBeUndefined();
      expect(await store.getChunk(chunkId, { offset: 5, length: 1 })).toBeUndefined();
    },
  },
  {
    name: "get of a range returns exactly the range, at and around block borders",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(RANGED_BYTES, 1);
      await store.putChunk(chunkId, bytes);
      for (const start of BORDERS) {
        for (const end of BORDERS.filter((border) => border > start)) {
          expectBytes(
            await store.getChunk(chunkId, { offset: start, length: end - start }),
            bytes.subarray(start, end),
          );
        }
      }
      expectBytes(await store.getChunk(chunkId, { offset: BLOCK + 5 }), bytes.subarray(BLOCK + 5));
      expectBytes(await store.getChunk(chunkId, { length: 10 }), bytes.subarray(0, 10));
    },
  },
  {
    name: "get reports the size of the whole chunk for every range",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(RANGED_BYTES, 1);
      await store.putChunk(chunkId, bytes);
      for (const range of [
        {},
        { offset: 5, length: 10 },
        { offset: RANGED_BYTES - 1 },
        { length: 1 },
        { length: 2 ** 30 },
      ]) {
        const sizes: number[] = [];
        await store.getChunk(chunkId, { ...range, onSize: (sizeBytes) => void sizes.push(sizeBytes) });
        expect(sizes).toEqual([RANGED_BYTES]);
      }
      const outside = { offset: RANGED_BYTES, onSize: () => expect.fail("nothing was read") };
      await expectCode(store.getChunk(chunkId, outside), "INVALID_RANGE");
    },
  },
  {
    name: "get of a range within a small chunk returns exactly the range",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(1000, 1);
      await store.putChunk(chunkId, bytes);
      expectBytes(await store.getChunk(chunkId, { offset: 999, length: 1 }), bytes.subarray(999));
      expectBytes(await store.getChunk(chunkId, { offset: 10, length: 100 }), bytes.subarray(10, 110));
    },
  },
  {
    name: "get cuts a range that ends past the chunk",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(1000, 1);
      await store.putChunk(chunkId, bytes);
      expectBytes(await store.getChunk(chunkId, { offset: 900, length: 101 }), bytes.subarray(900));
      expectBytes(await store.getChunk(chunkId, { length: 2 ** 40 }), bytes);
    },
  },
  {
    name: "get refuses a range that starts at or past the end",
    async run({ store }) {
      const small = await testChunk(1000, 1);
      const large = await testChunk(RANGED_BYTES, 2);
      for (const { chunkId, bytes } of [small, large]) {
        await store.putChunk(chunkId, bytes);
        await expectCode(store.getChunk(chunkId, { offset: bytes.byteLength }), "INVALID_RANGE");
        await expectCode(store.getChunk(chunkId, { offset: bytes.byteLength + 1, length: 1 }), "INVALID_RANGE");
      }
    },
  },
  {
    name: "get refuses illegal arguments",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(100, 1);
      await store.putChunk(chunkId, bytes);
      for (const offset of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await expectCode(store.getChunk(chunkId, { offset }), "INVALID_ARGUMENT");
      }
      for (const length of [0, -1, 1.5, Number.NaN]) {
        await expectCode(store.getChunk(chunkId, { length }), "INVALID_ARGUMENT");
      }
      await expectCode(store.getChunk(chunkId.subarray(0, 31) as never), "INVALID_ARGUMENT");
    },
  },
  {
    name: "the caller owns the bytes that get returns: changing them changes nothing in the store",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(1000, 1);
      await store.putChunk(chunkId, bytes);
      (await store.getChunk(chunkId))?.fill(0);
      (await store.getChunk(chunkId, { offset: 10, length: 10 }))?.fill(0);
      expectBytes(await store.getChunk(chunkId), bytes);
    },
  },
  {
    name: "100 reads at once each return their own chunk",
    async run({ store }) {
      const chunks = await testChunks(25, 40_000);
      for (const { chunkId, bytes } of chunks) await store.putChunk(chunkId, bytes);
      const reads = Array.from({ length: 100 }, (_, index) => chunks[index % chunks.length]!);
      const found = await Promise.all(reads.map(({ chunkId }) => store.getChunk(chunkId)));
      for (const [index, { bytes }] of reads.entries()) expectBytes(found[index], bytes);
    },
  },
  {
    name: "get reports progress that does not decrease and ends at the bytes wanted",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(RANGED_BYTES, 1);
      await store.putChunk(chunkId, bytes);
      for (const range of [{}, { offset: BLOCK + 1, length: 5 * BLOCK }]) {
        const seen: number[] = [];
        const found = await store.getChunk(chunkId, {
          ...range,
          onProgress: (bytesSoFar) => void seen.push(bytesSoFar),
        });
        expect(seen).toEqual([...seen].sort((a, b) => a - b));
        expect(seen.at(-1)).toBe(found?.byteLength);
      }
    },
  },
];
