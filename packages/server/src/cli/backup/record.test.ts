import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Sync } from "@ashlar/sdk/hash";
import type { ChunkRef } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRecord, type RecordEnd, type RecordedObject, writeRecord } from "./record.ts";

let folder = "";
let file = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-record-"));
  file = join(folder, "record.jsonl");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const END: RecordEnd = {
  ...{ endedAtMs: 2, isOneMoment: true, fromMs: 1, toMs: 1, buckets: 1, objects: 2, unreadable: 1, bytes: 10 },
};

function objectOf(key: string, sizeBytes: number): RecordedObject {
  const facts = { objectVersion: "v1", etag: "e", createdAtMs: 5, durability: "strict", attributes: {} } as const;
  return { key, sizeBytes, ...facts };
}

const chunksOf = (count: number): readonly ChunkRef[] =>
  Array.from({ length: count }, (_, index) => ({
    chunkId: sha256Sync(Uint8Array.of(index, index >> 8)),
    sizeBytes: 3,
  }));

async function write(): Promise<void> {
  await using writer = await writeRecord(file, { name: "n", beganAtMs: 1 });
  await writer.bucket({ bucket: "box", createdAtMs: 7 });
  await writer.object(objectOf("a\u2028\n", 7500));
  await writer.chunks(chunksOf(2500));
  const position = writer.position();
  await writer.object(objectOf("forgotten", 9));
  await writer.chunks(chunksOf(1));
  await writer.rewind(position);
  await writer.unreadable("b", "lost");
  await writer.object(objectOf("c", 0));
  await writer.end(END);
}

test("what was written is read, whether the chunks are taken or passed over", async () => {
  await write();
  const record = await openRecord(file);
  expect(record).toMatchObject({ name: "n", beganAtMs: 1, end: END });
  for (const takes of [true, false]) {
    const seen: unknown[] = [];
    const chunks: ChunkRef[] = [];
    for await (const entry of record.entries()) {
      seen.push(entry.kind === "object" ? entry.object.key : entry);
      if (takes && entry.kind === "object") for await (const line of entry.chunks()) chunks.push(...line);
    }
    expect(seen).toEqual([
      { kind: "bucket", bucket: "box", createdAtMs: 7 },
      "a\u2028\n",
      { kind: "unreadable", bucket: "box", key: "b", problem: "lost" },
      "c",
    ]);
    if (takes) expect(chunks).toEqual(chunksOf(2500));
  }
  const lines = (await readFile(file, "utf8")).split("\n");
  expect(lines.filter((line) => line.startsWith('{"chunks"'))).toHaveLength(3);
});

test("a file that is there is not written over", async () => {
  await writeFile(file, "mine");
  await expect(writeRecord(file, { name: "n", beganAtMs: 1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(await readFile(file, "utf8")).toBe("mine");
});

test("every cut and every changed byte is noticed", async () => {
  await write();
  const bytes = await readFile(file);
  for (const length of [0, 1, 50, 5000, bytes.byteLength - 2, bytes.byteLength - 1]) {
    await writeFile(file, bytes.subarray(0, length));
    await expect(openRecord(file), `cut at ${length}`).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
  }
  for (const at of [200, 5000, bytes.byteLength - 40]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(file, changed);
    await expect(openRecord(file), `changed at ${at}`).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
  }
  await writeFile(file, bytes);
  await appendFile(file, '{"key":"more"}\n');
  await expect(openRecord(file)).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
});

test("a line without an end does not fill the memory", async () => {
  await write();
  await writeFile(file, Buffer.concat([(await readFile(file)).subarray(0, 300), Buffer.alloc(4 * 1024 * 1024, "x")]));
  await expect(openRecord(file)).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
});

test("a record of a newer release is not read", async () => {
  await writeFile(file, '{"format":"ashlar-backup-record","formatVersion":2}\n{"end":{}}\n');
  await expect(openRecord(file)).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
});
