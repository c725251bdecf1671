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
  const movedStore = (getChunk: ChunkStore["getChunk"]): ChunkStore => ({ getChunk }) as ChunkStore;
  const before = movedStore(async () => {
    throw new AshlarError("NODE_UNAVAILABLE", "nobody is here any more");
  });
  const after = movedStore(async () => bytes);
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

/** A store over replicas that are asked in order; the next one is asked at once if one does not answer in a turn. */
function storeOf(getChunks: readonly ChunkStore["getChunk"][], viewFailure?: AshlarError) {
  const asked: number[] = [];
  const stores = getChunks.map((getChunk, index) => ({
    nodeId: `n${index}`,
    available: true,
    store: {
      getChunk(...call) {
        asked.push(index);
        return getChunk(...call);
      },
    } as Pick<ChunkStore, "getChunk"> as ChunkStore,
  }));
  const topology = { ...singleStoreTopology(stores[0]!.store), readCandidates: async () => stores };
  const clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
  const replicated = createReplicatedStore({
    ...{ hasher: webCryptoHasher, clock, random: systemRandom, logger: silentLogger },
    topology: { ...topology, viewFailure: () => viewFailure },
  });
  return { asked, read: () => replicated.get(sha256Sync(new Uint8Array(3)), { retry: { forMs: 0 } }) };
}

const hangs = (): Promise<never> => new Promise(() => {});

test("a replica that another one overtook is asked last by the next reads", async () => {
  const { asked, read } = storeOf([hangs, async () => new Uint8Array(3)]);
  await read();
  await read();
  expect(asked.slice(0, 3)).toEqual([0, 1, 1]);
});

test("a chunk is not said to be missing while the view of the cluster cannot be renewed", async () => {
  const absent = async (): Promise<undefined> => undefined;
  await expect(storeOf([absent, absent]).read()).rejects.toMatchObject({ code: "CHUNK_MISSING" });
  const failure = new AshlarError("METADATA_UNAVAILABLE", "the registry does not answer");
  await expect(storeOf([absent, absent], failure).read()).rejects.toMatchObject({
    code: "NODE_UNAVAILABLE",
  });
});
