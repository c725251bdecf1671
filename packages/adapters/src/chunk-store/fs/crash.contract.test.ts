import { rm } from "node:fs/promises";
import { decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeCryptoHasher } from "../../internal/sha256.ts";
import { openFsChunkStore } from "./index.ts";
import { inspectFolder, makeFolder } from "./testing/fs-subject.ts";
import { spawnStore } from "./testing/spawn-store.ts";

const ROUNDS = 6;
const ROUNDS_MAX = 20;

let root: string;

beforeEach(async () => {
  root = await makeFolder();
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** Kills a writing process after a number of acknowledgements; returns all that it acknowledged. */
async function writeAndKill(seed: number, acknowledgements: number): Promise<string[]> {
  const writer = await spawnStore(root);
  writer.tell({ op: "write-for-ever", seed });
  const acknowledged: unknown[] = [];
  while (acknowledged.length < acknowledgements) acknowledged.push(await writer.next());
  return [...acknowledged, ...(await writer.kill())].map(String);
}

test("kill -9 of a writing process loses no acknowledged chunk, shows no partial one, and its temporary files are swept", async () => {
  const acknowledged = new Set<string>();
  let roundsWithLeftovers = 0;
  let rounds = 0;
  while (rounds < ROUNDS || (roundsWithLeftovers === 0 && rounds < ROUNDS_MAX)) {
    for (const id of await writeAndKill(rounds * 100_000, 3 + 5 * (rounds % 4))) acknowledged.add(id);
    if ((await inspectFolder(root)).leftovers.length > 0) roundsWithLeftovers++;
    rounds++;

    const store = await openFsChunkStore({ path: root });
    const { chunkCount, bytesUsed } = await store.stats();
    const seen = await inspectFolder(root);
    expect(seen.leftovers).toEqual([]);
    expect([...acknowledged].filter((id) => !seen.chunks.has(id))).toEqual([]);
    let seenBytes = 0;
    for (const [id, bytes] of seen.chunks) {
      expect(encodeHex(await nodeCryptoHasher.digest(bytes))).toBe(id);
      expect((await store.getChunk(decodeDigestHex(id)))?.byteLength).toBe(bytes.byteLength);
      seenBytes += bytes.byteLength;
    }
    expect({ chunkCount, bytesUsed }).toEqual({ chunkCount: seen.chunks.size, bytesUsed: seenBytes });
    await store.close();
  }
  expect(roundsWithLeftovers, "rounds in which the kill met a write").toBeGreaterThan(0);
  process.stdout.write(
    `${rounds} kills, ${roundsWithLeftovers} of them amid writes: ${acknowledged.size} acknowledged chunks are all there\n`,
  );
}, 120_000);
