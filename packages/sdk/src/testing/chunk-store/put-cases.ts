import { expect } from "vitest";
import { type Digest, digestFromBytes } from "../../hash/index.ts";
import * as LIMITS from "../../limit-values.ts";
import { testBytes, testChunk, testChunks } from "../test-bytes.ts";
import type { ChunkStoreCase } from "./contract-case.ts";
import { expectBytes, expectCode, expectKept, flipBit } from "./expectations.ts";

const BLOCK = LIMITS.CHECKSUM_BLOCK_BYTES;

async function roundTrip({ store, subject }: Parameters<ChunkStoreCase["run"]>[0], sizeBytes: number): Promise<void> {
  const chunk = await testChunk(sizeBytes, 1);
  const result = await store.putChunk(chunk.chunkId, chunk.bytes);
  expect(result).toMatchObject({ sizeBytes, alreadyPresent: false });
  expectBytes(await store.getChunk(chunk.chunkId), chunk.bytes);
  await expectKept(subject, [chunk]);
}

export const PUT_CASES: readonly ChunkStoreCase[] = [
  { name: "put and get return the bytes, which are stored unchanged", run: (context) => roundTrip(context, 100_000) },
  {
    name: "put refuses a chunk without bytes",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(0, 1);
      await expectCode(store.putChunk(chunkId, bytes), "INVALID_ARGUMENT");
      await expectKept(subject, []);
    },
  },
  { name: "put and get one byte", run: (context) => roundTrip(context, 1) },
  { name: "put and get exactly one checksum block", run: (context) => roundTrip(context, BLOCK) },
  { name: "put and get one byte more than a checksum block", run: (context) => roundTrip(context, BLOCK + 1) },
  {
    name: "put takes a chunk of exactly chunkMaxBytes",
    run: (context) => roundTrip(context, context.store.capabilities.chunkMaxBytes),
  },
  {
    name: "put refuses a chunk of chunkMaxBytes + 1 and keeps nothing",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(store.capabilities.chunkMaxBytes + 1, 1);
      await expectCode(store.putChunk(chunkId, bytes), "OBJECT_TOO_LARGE");
      await expectKept(subject, []);
    },
  },
  {
    name: "put of a chunk that is there says so and changes nothing",
    async run({ store, subject }) {
      const chunk = await testChunk(5000, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      expect(await store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ sizeBytes: 5000, alreadyPresent: true });
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "put refuses bytes that do not have the chunk id as their digest, and keeps nothing",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(5000, 1);
      await expectCode(store.putChunk(chunkId, flipBit(bytes, 4999)), "CHUNK_DIGEST_MISMATCH");
      await expectCode(store.putChunk(chunkId, bytes.subarray(0, 4999)), "CHUNK_DIGEST_MISMATCH");
      expect(await store.getChunk(chunkId)).toBeUndefined();
      await expectKept(subject, []);
    },
  },
  {
    name: "put of bytes whose digest the caller has verified keeps and claims them like any others",
    async run({ store, subject }) {
      const chunk = await testChunk(3 * BLOCK, 1);
      const put = (): ReturnType<typeof store.putChunk> =>
        store.putChunk(chunk.chunkId, chunk.bytes, { digestVerified: true });
      expect(await put()).toMatchObject({ sizeBytes: 3 * BLOCK, alreadyPresent: false });
      expect(await put()).toMatchObject({ sizeBytes: 3 * BLOCK, alreadyPresent: true });
      expect(await store.deleteChunks([chunk.chunkId], { unclaimedForMs: 60_000 })).toEqual(["claimed"]);
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "put of wrong bytes leaves a chunk that is there unharmed",
    async run({ store, subject }) {
      const chunk = await testChunk(5000, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      await expectCode(store.putChunk(chunk.chunkId, flipBit(chunk.bytes)), "CHUNK_DIGEST_MISMATCH");
      await expectCode(store.putChunk(chunk.chunkId, chunk.bytes.subarray(1)), "CHUNK_DIGEST_MISMATCH");
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "put keeps its own copy: the caller may reuse its buffer once the promise has settled",
    async run({ store, subject }) {
      const chunk = await testChunk(70_000, 1);
      const buffer = chunk.bytes.slice();
      await store.putChunk(chunk.chunkId, buffer);
      buffer.fill(0);
      expectBytes(await store.getChunk(chunk.chunkId), chunk.bytes);
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "put of a view stores the view and not the bytes around it",
    async run({ store, subject }) {
      const around = testBytes(10_000, 9);
      const chunk = await testChunk(3000, 1);
      around.set(chunk.bytes, 1234);
      await store.putChunk(chunk.chunkId, around.subarray(1234, 4234));
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "100 chunks put at once are all kept",
    async run({ store, subject }) {
      const chunks = await testChunks(100, 2000);
      const results = await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
      expect(results.filter(({ alreadyPresent }) => alreadyPresent)).toEqual([]);
      await expectKept(subject, chunks);
    },
  },
  {
    name: "100 writers of one chunk all succeed, and only the first one stores it",
    async run({ store, subject }) {
      const chunk = await testChunk(100_000, 1);
      const results = await Promise.all(Array.from({ length: 100 }, () => store.putChunk(chunk.chunkId, chunk.bytes)));
      expect(results.filter(({ alreadyPresent }) => !alreadyPresent)).toHaveLength(1);
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "put works in every durability mode that the store names",
    async run({ store, subject }) {
      const { durabilities } = store.capabilities;
      const chunks = await testChunks(durabilities.length, 3000);
      for (const [index, { chunkId, bytes }] of chunks.entries()) {
        await store.putChunk(chunkId, bytes, { durability: durabilities[index] });
        expect(await store.putChunk(chunkId, bytes, { durability: "strict" })).toMatchObject({ alreadyPresent: true });
      }
      await expectKept(subject, chunks);
    },
  },
  {
    name: "put reports progress that does not decrease and ends at the size",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(store.capabilities.chunkMaxBytes, 1);
      const seen: number[] = [];
      await store.putChunk(chunkId, bytes, { onProgress: (transferredBytes) => void seen.push(transferredBytes) });
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(bytes.byteLength);
    },
  },
  {
    name: "put refuses illegal arguments",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(100, 1);
      const wrong = (value: unknown): never => value as never;
      await expectCode(store.putChunk(wrong(chunkId.subarray(1)), bytes), "INVALID_ARGUMENT");
      await expectCode(store.putChunk(wrong("00".repeat(32)), bytes), "INVALID_ARGUMENT");
      await expectCode(store.putChunk(wrong(undefined), bytes), "INVALID_ARGUMENT");
      await expectCode(store.putChunk(chunkId, wrong("text")), "INVALID_ARGUMENT");
      await expectCode(store.putChunk(chunkId, wrong(undefined)), "INVALID_ARGUMENT");
      await expectCode(store.putChunk(chunkId, bytes, { durability: wrong("eventually") }), "INVALID_ARGUMENT");
      await expectKept(subject, []);
    },
  },
  {
    name: "chunks whose ids differ in one bit are told apart",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(100, 1);
      await store.putChunk(chunkId, bytes);
      const neighbours: Digest[] = [0, 15, 31].map((index) => digestFromBytes(flipBit(chunkId, index)));
      expect(await store.hasChunks(neighbours, { claim: false })).toEqual([undefined, undefined, undefined]);
      for (const neighbour of neighbours) expect(await store.getChunk(neighbour)).toBeUndefined();
    },
  },
];
