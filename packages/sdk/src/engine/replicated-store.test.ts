import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { sha256Sync, webCryptoHasher } from "../hash/index.ts";
import { type ChunkStore, silentLogger, systemClock, systemRandom } from "../ports/index.ts";
import { createReplicatedStore, createSuspects } from "./replicated-store.ts";
import { singleStoreTopology } from "./topology.ts";

describe("suspects", () => {
  test("are suspect for five seconds, or until they answer", () => {
    let now = 1000;
    const advance = (ms: number): void => {
      now += ms;
    };
    const suspects = createSuspects({ nowMs: () => now, monotonicMs: () => now, sleep: async () => {} });
    expect(suspects.has("n1")).toBe(false);
    suspects.add("n1");
    suspects.add("n2");
    expect([suspects.has("n1"), suspects.has("n2"), suspects.has("n3")]).toEqual([true, true, false]);
    suspects.delete("n2");
    expect(suspects.has("n2")).toBe(false);
    advance(4999);
    expect(suspects.has("n1")).toBe(true);
    advance(1);
    expect(suspects.has("n1")).toBe(false);
  });
});

test("a read asks a node that moved at its new address before it fails, also in a single try", async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const storeOf = (getChunk: ChunkStore["getChunk"]): ChunkStore => ({ getChunk }) as ChunkStore;
  const before = storeOf(async () => {
    throw new AshlarError("NODE_UNAVAILABLE", "nobody is here any more");
  });
  const after = storeOf(async () => bytes);
  let renewed = false;
  const topology = {
    ...singleStoreTopology(before),
    readCandidates: async () => [{ nodeId: "n1", store: renewed ? after : before, available: true }],
    invalidate: () => {
      renewed = true;
    },
  };
  const parts = { hasher: webCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger };
  const chunks = createReplicatedStore({ ...parts, topology });
  expect(await chunks.get(sha256Sync(bytes), { sizeBytes: 3, attempts: 1 })).toEqual(bytes);
});
