/** Chunks that are opened, and read into the reader's own memory. */
import { open as openFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkReader, OpeningChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FileSystem, nodejsFileSystem } from "./file-system.ts";
import { openFsChunkStore } from "./index.ts";
import { createFsSubject } from "./testing/fs-subject.ts";

const BLOCK = 65_536;
const SIZE = 10 * BLOCK + 500;
const TRAILER_AT = SIZE;

let subject: Awaited<ReturnType<typeof createFsSubject>>;
let store: OpeningChunkStore;
let chunk: TestChunk;
/** Called before a chunk's file is opened. */
let onOpen: () => Promise<void>;
/** Files that are open now, and what was read of them in all. */
let openCount: number;
let bytesRead: number;

const watched: FileSystem = {
  ...nodejsFileSystem,
  async open(...args: Parameters<FileSystem["open"]>) {
    await onOpen();
    const handle = await nodejsFileSystem.open(...args);
    openCount++;
    const [read, close] = [handle.read.bind(handle), handle.close.bind(handle)];
    handle.read = (async (...given: Parameters<typeof read>) => {
      const result = await read(...given);
      bytesRead += result.bytesRead;
      return result;
    }) as typeof handle.read;
    handle.close = async () => {
      openCount--;
      await close();
    };
    return handle;
  },
};

beforeEach(async () => {
  onOpen = async () => {};
  subject = await createFsSubject();
  store = await openFsChunkStore({ path: subject.root, fileSystem: watched });
  chunk = await testChunk(SIZE, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  openCount = 0;
  bytesRead = 0;
});

afterEach(async () => {
  await store.close();
  await subject.dispose();
});

async function openChunk(): Promise<ChunkReader> {
  const reader = await store.openChunk(chunk.chunkId);
  if (reader === undefined) return expect.fail("the chunk is there");
  return reader;
}

async function flipBit(position: number): Promise<void> {
  const id = encodeHex(chunk.chunkId);
  const handle = await openFile(join(subject.root, "chunks", id.slice(0, 2), id.slice(2, 4), id), "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

const inQuarantine = (): Promise<string[]> => readdir(join(subject.root, "quarantine")).catch(() => []);

test("an open chunk has its size, and gives as much as there is room for, as a view of the target", async () => {
  const reader = await openChunk();
  expect(reader.sizeBytes).toBe(SIZE);
  const target = new Uint8Array(3 * BLOCK);
  for (const offset of [0, 1, BLOCK - 1, BLOCK, 4 * BLOCK + 77, SIZE - 1]) {
    for (const length of [1, 10, BLOCK, 2 * BLOCK + 1, SIZE - offset]) {
      if (offset + length > SIZE) continue;
      const bytes = await reader.read({ offset, length }, target);
      expect(bytes.buffer).toBe(target.buffer);
      const room = 3 * BLOCK - (offset % BLOCK);
      expect(bytes.byteLength).toBe(Math.min(length, room));
      expect(Buffer.compare(bytes, chunk.bytes.subarray(offset, offset + bytes.byteLength))).toBe(0);
    }
  }
  await reader.close();
  await reader.close();
  expect(openCount).toBe(0);
});

test("ten bytes cost the blocks that they touch, and the trailer", async () => {
  const reader = await openChunk();
  await reader.read({ offset: 5 * BLOCK - 5, length: 10 }, new Uint8Array(2 * BLOCK));
  await reader.close();
  expect(bytesRead).toBe(2 * BLOCK + 11 * 4 + 64);
});

test("an absent chunk is undefined, a span outside the chunk INVALID_RANGE, and too small a target INVALID_ARGUMENT", async () => {
  expect(await store.openChunk((await testChunk(9, 2)).chunkId)).toBeUndefined();
  const reader = await openChunk();
  const target = new Uint8Array(BLOCK);
  const spans = [
    { offset: -1, length: 1 },
    { offset: SIZE, length: 1 },
    { offset: 0, length: SIZE + 1 },
    { offset: 0, length: 0 },
    { offset: 0.5, length: 1 },
  ];
  for (const span of spans) await expect(reader.read(span, target)).rejects.toMatchObject({ code: "INVALID_RANGE" });
  const small = reader.read({ offset: 5, length: 1 }, new Uint8Array(BLOCK - 1));
  await expect(small).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await reader.close();
});

test("a damaged block is found by a read that touches it, and by no other; the file is quarantined", async () => {
  await flipBit(5 * BLOCK + 77);
  const reader = await openChunk();
  const target = new Uint8Array(BLOCK);
  expect(await reader.read({ offset: 4 * BLOCK, length: 10 }, target)).toEqual(
    chunk.bytes.subarray(4 * BLOCK, 4 * BLOCK + 10),
  );
  expect(await inQuarantine()).toEqual([]);
  const damaged = reader.read({ offset: 5 * BLOCK, length: 10 }, target);
  await expect(damaged).rejects.toMatchObject({
    code: "CHUNK_CORRUPT",
    details: { chunkId: encodeHex(chunk.chunkId) },
  });
  await reader.close();
  expect(await inQuarantine()).toHaveLength(1);
  expect(await store.openChunk(chunk.chunkId)).toBeUndefined();
  expect(openCount).toBe(0);
});

test.each([
  ["a block checksum", TRAILER_AT],
  ["the footer", TRAILER_AT + 11 * 4 + 30],
])("damage in %s is found by the opening", async (_where, position) => {
  await flipBit(position);
  await expect(store.openChunk(chunk.chunkId)).rejects.toMatchObject({ code: "CHUNK_CORRUPT" });
  expect(await inQuarantine()).toHaveLength(1);
  expect(openCount).toBe(0);
});

test("an open chunk can be read to its end though it is deleted", async () => {
  const reader = await openChunk();
  expect(await store.deleteChunks([chunk.chunkId], { unclaimedForMs: 0 })).toEqual(["deleted"]);
  const bytes = await reader.read({ offset: 0, length: SIZE }, new Uint8Array(SIZE));
  expect(Buffer.compare(bytes, chunk.bytes)).toBe(0);
  await reader.close();
});

test("an opening that was aborted leaves no file open", async () => {
  const abort = new AbortController();
  let letOpen = (): void => {};
  onOpen = () =>
    new Promise((resolve) => {
      letOpen = resolve;
    });
  const opening = store.openChunk(chunk.chunkId, { signal: abort.signal });
  abort.abort();
  await expect(opening).rejects.toMatchObject({ code: "CANCELED" });
  letOpen();
  await expect.poll(() => bytesRead).toBeGreaterThan(0);
  await expect.poll(() => openCount).toBe(0);
});

test("after the store is closed its readers give nothing more", async () => {
  const reader = await openChunk();
  await store.close();
  const late = reader.read({ offset: 0, length: 1 }, new Uint8Array(BLOCK));
  await expect(late).rejects.toMatchObject({ code: "STORE_CLOSED" });
  await expect(store.openChunk(chunk.chunkId)).rejects.toMatchObject({ code: "STORE_CLOSED" });
  await reader.close();
});
