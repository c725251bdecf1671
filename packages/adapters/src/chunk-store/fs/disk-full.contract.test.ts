import { execFileSync } from "node:child_process";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { StreamingChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk, testChunks } from "@ashlar/sdk/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openFsChunkStore } from "./index.ts";
import { inspectFolder, makeFolder } from "./testing/fs-subject.ts";

const DISK_BYTES = 1024 * 1024;
const CHUNK_BYTES = 200_000;

let mountPoint: string;
let mounted = false;

beforeAll(async () => {
  mountPoint = await makeFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", mountPoint], { stdio: "ignore" });
    mounted = true;
  } catch {
    process.stdout.write("skipped: the full-disk cases need the right to mount a tmpfs\n");
  }
});

afterAll(async () => {
  if (mounted) execFileSync("umount", [mountPoint]);
  await rm(mountPoint, { recursive: true, force: true });
});

test("the disk that counts is the disk of the chunks, if they have one of their own", async (context) => {
  if (!mounted) context.skip();
  const root = await makeFolder();
  await (await openFsChunkStore({ path: root })).close();
  await rm(join(root, "chunks"), { recursive: true, force: true });
  const disk = join(mountPoint, "chunks");
  await mkdir(disk);
  await symlink(disk, join(root, "chunks"));
  const store = await openFsChunkStore({ path: root, reserveBytes: DISK_BYTES / 2 });
  try {
    expect((await store.stats()).bytesTotal).toBe(DISK_BYTES);
    const [small, large] = [await testChunk(CHUNK_BYTES, 1), await testChunk(2 * CHUNK_BYTES, 2)];
    await store.putChunk(small.chunkId, small.bytes);
    // Refused before any of its bytes is written.
    await expect(store.putChunk(large.chunkId, large.bytes)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect((await inspectFolder(root)).leftovers).toEqual([]);
  } finally {
    await store.close();
    await rm(root, { recursive: true, force: true });
    await rm(disk, { recursive: true, force: true });
  }
});

describe("an fs store on a disk of 1 MiB", () => {
  let root: string;
  let store: StreamingChunkStore;
  let chunks: readonly TestChunk[];

  beforeEach(async (context) => {
    if (!mounted) context.skip();
    root = join(mountPoint, "store");
    await mkdir(root);
    store = await openFsChunkStore({ path: root });
    chunks = await testChunks(8, CHUNK_BYTES);
  });

  afterEach(async () => {
    await store?.close();
    await rm(root, { recursive: true, force: true });
  });

  /** Puts until one is refused; returns those that were kept, and the refusal. */
  async function fill(put: (chunk: TestChunk) => Promise<unknown>): Promise<{ kept: TestChunk[]; refusal: unknown }> {
    const kept: TestChunk[] = [];
    for (const chunk of chunks) {
      try {
        await put(chunk);
      } catch (refusal) {
        return { kept, refusal };
      }
      kept.push(chunk);
    }
    return { kept, refusal: undefined };
  }

  async function expectRefused({ kept, refusal }: { kept: TestChunk[]; refusal: unknown }): Promise<void> {
    expect(refusal).toMatchObject({ code: "DISK_FULL", details: { errno: "ENOSPC" }, cause: { code: "ENOSPC" } });
    expect(kept.length).toBe(Math.floor(DISK_BYTES / CHUNK_BYTES));
    const seen = await inspectFolder(root);
    expect(seen.leftovers).toEqual([]);
    expect(seen.chunks.size).toBe(kept.length);
    expect(await store.stats()).toMatchObject({ chunkCount: kept.length, bytesTotal: DISK_BYTES });
    for (const { chunkId, bytes } of kept) expect(await store.getChunk(chunkId)).toEqual(bytes);
  }

  test("a put that does not fit is DISK_FULL with its cause, keeps nothing and harms nothing", async () => {
    await expectRefused(await fill(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
  });

  test("so is a stream", async () => {
    const refused = await fill(({ chunkId, bytes }) => {
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let offset = 0; offset < bytes.byteLength; offset += 10_000) yield bytes.subarray(offset, offset + 10_000);
      };
      return store.putChunkStream(chunkId, source(), { sizeBytes: bytes.byteLength });
    });
    await expectRefused(refused);
  });

  test("writers that run into the full disk together keep whole chunks or nothing, and room made by a delete is used", async () => {
    const outcomes = await Promise.allSettled(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
    const kept = chunks.filter((_, index) => outcomes[index]?.status === "fulfilled");
    const refused = chunks.filter((_, index) => outcomes[index]?.status === "rejected");
    expect(refused.length).toBeGreaterThanOrEqual(3);
    const seen = await inspectFolder(root);
    expect(seen.leftovers).toEqual([]);
    expect(seen.chunks.size).toBe(kept.length);
    await store.deleteChunks(
      kept.map(({ chunkId }) => chunkId),
      { unclaimedForMs: 0 },
    );
    const again = refused[0]!;
    expect(await store.putChunk(again.chunkId, again.bytes)).toMatchObject({ alreadyPresent: false });
  });

  test("a claim and a repeated put work on a full disk", async () => {
    const { kept } = await fill(({ chunkId, bytes }) => store.putChunk(chunkId, bytes));
    const { chunkId, bytes } = kept[0]!;
    expect(await store.hasChunks([chunkId], { claim: true })).toEqual([{ sizeBytes: bytes.byteLength }]);
    expect(await store.putChunk(chunkId, bytes)).toMatchObject({ alreadyPresent: true });
  });

  test("a store with a reserve leaves it free, even with many puts at once; claims, repeated puts and deletes go on", async () => {
    const reserveBytes = 300_000;
    const careful = await openFsChunkStore({ path: root, reserveBytes });
    const outcomes = await Promise.allSettled(chunks.map(({ chunkId, bytes }) => careful.putChunk(chunkId, bytes)));
    for (const { chunkId, bytes } of chunks) await careful.putChunk(chunkId, bytes).catch(() => {});
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "DISK_FULL" });
    }
    expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
    expect((await careful.stats()).bytesFree).toBeGreaterThanOrEqual(reserveBytes);
    const ids = chunks.map(({ chunkId }) => chunkId);
    const present = await careful.hasChunks(ids, { claim: true });
    expect(present.filter((one) => one !== undefined)).toHaveLength(3);
    const kept = chunks[present.findIndex((one) => one !== undefined)]!;
    expect(await careful.putChunk(kept.chunkId, kept.bytes)).toMatchObject({ alreadyPresent: true });
    expect(await careful.deleteChunks([kept.chunkId], { unclaimedForMs: 0 })).toEqual(["deleted"]);
    await careful.close();
  });
});
