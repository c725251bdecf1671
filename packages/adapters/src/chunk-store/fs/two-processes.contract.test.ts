import * as nodeFs from "node:fs/promises";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeHex } from "@ashlar/sdk/hash";
import type { StreamingChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFsChunkStore } from "./index.ts";
import { inspectFolder, makeFolder } from "./testing/fs-subject.ts";
import { type StoreProcess, spawnStore } from "./testing/spawn-store.ts";

const SIZE_BYTES = 3000;
const IDLE_MS = 400;
const ROUNDS = 12;
const RACED = 50;

let root: string;
let store: StreamingChunkStore;
let other: StoreProcess;

beforeEach(async () => {
  root = await makeFolder();
  store = await openFsChunkStore({ path: root });
  other = await spawnStore(root);
});

afterEach(async () => {
  await store.close();
  await other.kill();
  await rm(root, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const seedsFrom = (first: number): number[] => Array.from({ length: RACED }, (_, index) => first + index);
const chunksOf = (seeds: readonly number[]): Promise<TestChunk[]> =>
  Promise.all(seeds.map((seed) => testChunk(SIZE_BYTES, seed)));

/** Races `claim` in this process against conditional deletes in the other one. The chunks are just old enough to be deleted. */
async function race(claim: (chunk: TestChunk) => Promise<boolean>): Promise<Record<string, number>> {
  const tally: Record<string, number> = {};
  const seeds = seedsFrom(1);
  const chunks = await chunksOf(seeds);
  let idleMs = IDLE_MS;
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
    await pause(idleMs + 20);
    const startedAtMs = performance.now();
    const outcomes = other.ask({
      op: "delete",
      ids: chunks.map(({ chunkId }) => encodeHex(chunkId)),
      unclaimedForMs: idleMs,
    }) as Promise<string[]>;
    // The command needs about a millisecond to arrive; different waits let the steps of both sides meet in all orders.
    await pause(round % 4);
    const claimed = await Promise.all(chunks.map(claim));
    const deleted = await outcomes;
    // Claims that became old by themselves prove nothing; a machine that stalls that long gets more time.
    if (performance.now() - startedAtMs > idleMs - 20) {
      idleMs *= 2;
      continue;
    }
    for (const [index, { chunkId, bytes }] of chunks.entries()) {
      const found = await store.getChunk(chunkId);
      // A claim says "absent" if the file was set aside at that moment, although it comes back; the caller then uploads it without need.
      if (claimed[index]) expect(found, `claimed, and the delete said ${deleted[index]}`).toEqual(bytes);
      else if (found === undefined) expect(deleted[index]).toBe("deleted");
      else expect([deleted[index], found]).toEqual(["claimed", bytes]);
      const key = `${claimed[index] ? "claimed" : "absent"}, ${deleted[index]}`;
      tally[key] = (tally[key] ?? 0) + 1;
    }
  }
  expect(Object.keys(tally).length).toBeGreaterThan(0);
  expect((await inspectFolder(root)).leftovers).toEqual([]);
  return tally;
}

describe("two processes with one folder open", () => {
  test("see each other's chunks, and write the same ones without harm", async () => {
    const seeds = seedsFrom(1);
    const chunks = await chunksOf(seeds);
    const there = other.ask({ op: "put", sizeBytes: SIZE_BYTES, seeds });
    await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
    expect(await there).toHaveLength(RACED);
    const seen = await inspectFolder(root);
    expect(seen.leftovers).toEqual([]);
    expect([...seen.chunks.keys()].sort()).toEqual(chunks.map(({ chunkId }) => encodeHex(chunkId)).sort());
    expect(await other.ask({ op: "put", sizeBytes: SIZE_BYTES, seeds })).toEqual(seeds.map(() => true));
    const [first] = chunks as [TestChunk];
    expect(await other.ask({ op: "delete", ids: [encodeHex(first.chunkId)], unclaimedForMs: 0 })).toEqual(["deleted"]);
    expect(await store.getChunk(first.chunkId)).toBeUndefined();
  });

  test("a claim of one holds against the deletes of the other", async () => {
    const tally = await race(async ({ chunkId }) => {
      const [presence] = await store.hasChunks([chunkId], { claim: true });
      return presence !== undefined;
    });
    process.stdout.write(`claims against another process's deletes: ${JSON.stringify(tally)}\n`);
  }, 60_000);

  test("an acknowledged put of one holds against the deletes of the other", async () => {
    const tally = await race(async ({ chunkId, bytes }) => {
      await store.putChunk(chunkId, bytes);
      return true;
    });
    process.stdout.write(`puts against another process's deletes: ${JSON.stringify(tally)}\n`);
  }, 60_000);

  test("a write under way in one is not swept by another that opens the folder", async () => {
    const chunk = await testChunk(SIZE_BYTES, 1);
    let resume = (): void => {};
    const paused = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield chunk.bytes.subarray(0, 1000);
      await paused;
      yield chunk.bytes.subarray(1000);
    };
    const put = store.putChunkStream(chunk.chunkId, source());
    await expect.poll(async () => (await inspectFolder(root)).leftovers.length).toBe(1);
    const third = await spawnStore(root);
    // Within this process, too: two stores, one folder.
    const fourth = await openFsChunkStore({ path: root });
    expect(await third.ask({ op: "count" })).toBe(0);
    expect(await fourth.stats()).toMatchObject({ chunkCount: 0 });
    resume();
    expect(await put).toMatchObject({ sizeBytes: SIZE_BYTES, alreadyPresent: false });
    await third.end();
    await fourth.close();
    expect(await store.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
  });

  test("a read finds a chunk that a delete puts back meanwhile, wherever it looks first", async () => {
    const chunk = await testChunk(SIZE_BYTES, 1);
    await store.putChunk(chunk.chunkId, chunk.bytes);
    const id = encodeHex(chunk.chunkId);
    const path = join(root, "chunks", id.slice(0, 2), id.slice(2, 4), id);
    const aside = join(root, "aside");
    // The other store's delete ends between the look under the chunk's name and the look for what is aside.
    const fileSystem = {
      ...nodeFs,
      async readdir(folder: string): Promise<string[]> {
        await rename(aside, path).catch(() => {});
        return await nodeFs.readdir(folder);
      },
    };
    const reader = await openFsChunkStore({ path: root, fileSystem: fileSystem as typeof nodeFs });
    await reader.stats();
    await rename(path, aside);
    try {
      expect(await reader.getChunk(chunk.chunkId)).toEqual(chunk.bytes);
      await rename(path, aside);
      expect(await reader.hasChunks([chunk.chunkId], { claim: false })).toEqual([{ sizeBytes: SIZE_BYTES }]);
    } finally {
      await reader.close();
    }
  });
});
