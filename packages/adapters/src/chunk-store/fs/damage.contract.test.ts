import { copyFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { encodeHex } from "@ashlar/sdk/hash";
import { type TestChunk, testChunk, testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeTrailer } from "./chunk-format.ts";
import { createFsSubject } from "./testing/fs-subject.ts";

const BLOCK_BYTES = 65_536;
const SIZE_BYTES = 10 * BLOCK_BYTES + 500;

let subject: Awaited<ReturnType<typeof createFsSubject>>;
let logged: Array<Readonly<Record<string, unknown>>>;

beforeEach(async () => {
  logged = [];
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: Readonly<Record<string, unknown>>) => void logged.push(fields),
    child: () => logger,
  };
  subject = await createFsSubject({ logger });
});

afterEach(() => subject.dispose());

function pathOf({ chunkId }: Pick<TestChunk, "chunkId">): string {
  const id = encodeHex(chunkId);
  return join(subject.root, "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

async function putOne(sizeBytes = SIZE_BYTES): Promise<TestChunk> {
  const chunk = await testChunk(sizeBytes, 1);
  await subject.store.putChunk(chunk.chunkId, chunk.bytes);
  return chunk;
}

async function flipBitOnDisk(path: string, position: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, position);
  byte[0] = byte[0]! ^ 0x10;
  await handle.write(byte, 0, 1, position);
  await handle.close();
}

/** The chunk is reported damaged once, then absent; its file lies in quarantine; it can be written again. */
async function expectQuarantined(chunk: TestChunk, read: () => Promise<unknown>): Promise<void> {
  await expect(read()).rejects.toMatchObject({ code: "CHUNK_CORRUPT", details: { chunkId: encodeHex(chunk.chunkId) } });
  expect(await subject.store.getChunk(chunk.chunkId)).toBeUndefined();
  const [kept] = await readdir(join(subject.root, "quarantine"));
  expect(kept?.startsWith(encodeHex(chunk.chunkId))).toBe(true);
  expect(logged).toMatchObject([{ chunkId: encodeHex(chunk.chunkId) }]);
  expect(await subject.store.stats()).toMatchObject({ chunkCount: 0 });
  expect(await subject.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
  expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
}

describe("a bit flipped on disk", () => {
  const trailerAt = SIZE_BYTES;
  const positions = [
    ["at the start of the payload", 0],
    ["in a middle block", 5 * BLOCK_BYTES + 77],
    ["in the last byte of the payload", SIZE_BYTES - 1],
    ["in the first block checksum", trailerAt],
    ["in the footer's magic", trailerAt + 11 * 4],
    ["in the footer's size", trailerAt + 11 * 4 + 16],
    ["in the footer's chunk id", trailerAt + 11 * 4 + 30],
    ["in the last byte of the file", trailerAt + 11 * 4 + 63],
  ] as const;
  for (const [where, position] of positions) {
    test(`${where} is CHUNK_CORRUPT, and the file is quarantined`, async () => {
      const chunk = await putOne();
      await flipBitOnDisk(pathOf(chunk), position);
      await expectQuarantined(chunk, () => subject.store.getChunk(chunk.chunkId));
    });
  }

  for (const [where, position] of positions) {
    test(`${where} is found by a put of the same bytes, which writes the chunk anew`, async () => {
      const chunk = await putOne();
      await flipBitOnDisk(pathOf(chunk), position);
      expect(await subject.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
      expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
      expect(await readdir(join(subject.root, "quarantine"))).toHaveLength(1);
      expect(await subject.store.stats()).toMatchObject({ chunkCount: 1, bytesUsed: SIZE_BYTES });
    });

    test(`${where} is found by a stream of the same bytes too`, async () => {
      const chunk = await putOne();
      await flipBitOnDisk(pathOf(chunk), position);
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield chunk.bytes;
      };
      expect(await subject.store.putChunkStream(chunk.chunkId, source())).toMatchObject({ alreadyPresent: false });
      expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
    });
  }

  test("and its checksum made to fit is found by a put too: the bytes are compared", async () => {
    const chunk = await putOne(1000);
    const file = await readFile(pathOf(chunk));
    const payload = Uint8Array.from(file.subarray(0, 1000));
    payload[10] = payload[10]! ^ 1;
    const fitting = encodeTrailer(chunk.chunkId, 1000, [crc32(payload)]);
    await writeFile(pathOf(chunk), Buffer.concat([payload, fitting]));
    expect(await subject.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
    expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
  });

  test("in a small chunk is noticed by a range that does not touch it", async () => {
    const chunk = await putOne(1000);
    await flipBitOnDisk(pathOf(chunk), 900);
    await expectQuarantined(chunk, () => subject.store.getChunk(chunk.chunkId, { offset: 0, length: 10 }));
  });

  test("is noticed by a range in its block, and does not disturb ranges in other blocks", async () => {
    const chunk = await putOne();
    await flipBitOnDisk(pathOf(chunk), 5 * BLOCK_BYTES + 77);
    const before = await subject.store.getChunk(chunk.chunkId, { offset: BLOCK_BYTES, length: 4 * BLOCK_BYTES });
    expect(before).toEqual(chunk.bytes.subarray(BLOCK_BYTES, 5 * BLOCK_BYTES));
    const after = await subject.store.getChunk(chunk.chunkId, { offset: 6 * BLOCK_BYTES });
    expect(after).toEqual(chunk.bytes.subarray(6 * BLOCK_BYTES));
    const range = { offset: 5 * BLOCK_BYTES + 60_000, length: 1 };
    await expectQuarantined(chunk, () => subject.store.getChunk(chunk.chunkId, range));
  });
});

describe("a file that was cut", () => {
  const lengths = [0, 1, 63, 64, 1000, SIZE_BYTES, SIZE_BYTES + 44, SIZE_BYTES + 107];
  for (const length of lengths) {
    test(`to ${length} bytes is CHUNK_CORRUPT on reading`, async () => {
      const chunk = await putOne();
      await truncate(pathOf(chunk), length);
      await expectQuarantined(chunk, () => subject.store.getChunk(chunk.chunkId));
    });

    test(`to ${length} bytes cannot be claimed, and is replaced by the next put`, async () => {
      const chunk = await putOne();
      await truncate(pathOf(chunk), length);
      expect(await subject.store.hasChunks([chunk.chunkId], { claim: true })).toEqual([undefined]);
      expect(await subject.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
      expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
      expect(await (await subject.reopen()).stats()).toMatchObject({ chunkCount: 1, bytesUsed: SIZE_BYTES });
    });
  }

  test("and lengthened again with zeros, as file systems do after a power loss, is noticed", async () => {
    const chunk = await putOne();
    const { size } = await stat(pathOf(chunk));
    await truncate(pathOf(chunk), 3 * BLOCK_BYTES);
    await truncate(pathOf(chunk), size);
    expect(await subject.store.hasChunks([chunk.chunkId], { claim: true })).toEqual([undefined]);
    expect(await subject.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
  });

  test("is replaced by a stream too", async () => {
    const chunk = await putOne();
    await truncate(pathOf(chunk), 5);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield chunk.bytes;
    };
    expect(await subject.store.putChunkStream(chunk.chunkId, source())).toMatchObject({ alreadyPresent: false });
    expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
  });

  test("can be listed and deleted", async () => {
    const chunk = await putOne();
    await truncate(pathOf(chunk), 5);
    expect((await subject.store.listChunks()).chunks).toMatchObject([{ chunkId: chunk.chunkId, sizeBytes: 0 }]);
    expect(await subject.store.deleteChunks([chunk.chunkId], { unclaimedForMs: 0 })).toEqual(["deleted"]);
  });
});

describe("a file that is not the chunk's", () => {
  test("because it holds another chunk is CHUNK_CORRUPT", async () => {
    const [chunk, other] = (await testChunks(2, 5000)) as [TestChunk, TestChunk];
    await subject.store.putChunk(other.chunkId, other.bytes);
    await mkdir(dirname(pathOf(chunk)), { recursive: true });
    await copyFile(pathOf(other), pathOf(chunk));
    const read = subject.store.getChunk(chunk.chunkId);
    await expect(read).rejects.toMatchObject({
      code: "CHUNK_CORRUPT",
      details: { problem: "the file holds another chunk" },
    });
    expect(await subject.store.getChunk(other.chunkId)).toEqual(other.bytes);
  });

  test("because somebody put text there is CHUNK_CORRUPT, and the text is kept in quarantine", async () => {
    const chunk = await putOne();
    await writeFile(pathOf(chunk), "hello".repeat(100));
    await expectQuarantined(chunk, () => subject.store.getChunk(chunk.chunkId));
    const [kept] = await readdir(join(subject.root, "quarantine"));
    expect(await readFile(join(subject.root, "quarantine", kept!), "utf8")).toContain("hello");
  });

  test("nor named like one is left alone and not listed", async () => {
    const chunk = await putOne();
    await writeFile(join(dirname(pathOf(chunk)), "README"), "hello");
    expect((await subject.store.listChunks()).chunks).toHaveLength(1);
    await subject.reopen();
    expect(await subject.store.stats()).toMatchObject({ chunkCount: 1 });
    expect(await readFile(join(dirname(pathOf(chunk)), "README"), "utf8")).toBe("hello");
  });
});

test("100 readers of a damaged chunk get no wrong byte, and one file is quarantined", async () => {
  const chunk = await putOne();
  await flipBitOnDisk(pathOf(chunk), 100);
  const reads = Array.from({ length: 100 }, () => subject.store.getChunk(chunk.chunkId));
  const outcomes = await Promise.allSettled(reads);
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") expect(outcome.value).toBeUndefined();
    else expect(outcome.reason).toMatchObject({ code: "CHUNK_CORRUPT" });
  }
  expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
  expect(await readdir(join(subject.root, "quarantine"))).toHaveLength(1);
});

test("a chunk that was put anew while a reader found the old file damaged stays", async () => {
  const chunk = await putOne();
  await flipBitOnDisk(pathOf(chunk), 100);
  const [read] = await Promise.allSettled([
    subject.store.getChunk(chunk.chunkId),
    subject.store
      .deleteChunks([chunk.chunkId], { unclaimedForMs: 0 })
      .then(() => subject.store.putChunk(chunk.chunkId, chunk.bytes)),
  ]);
  if (read.status === "rejected") expect(read.reason).toMatchObject({ code: "CHUNK_CORRUPT" });
  expect(await subject.store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
});
