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

describe("a write", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const takes = async () => ({ sizeBytes: 3, alreadyPresent: false, receipt: "signed" });
  const failsWith = (code: "NODE_UNAVAILABLE" | "DISK_FULL" | "PERMISSION_DENIED") => async (): Promise<never> => {
    throw new AshlarError(code, code);
  };

  /** Writes a chunk to three stores, with three that may stand in for them. */
  async function write(placed: readonly ChunkStore["putChunk"][], standIns: readonly ChunkStore["putChunk"][]) {
    const asked: string[] = [];
    const named = (putChunk: ChunkStore["putChunk"], nodeId: string, available = true) => ({
      ...{ nodeId, available },
      store: {
        putChunk(...call) {
          asked.push(nodeId);
          return putChunk(...call);
        },
      } as Pick<ChunkStore, "putChunk"> as ChunkStore,
    });
    const stores = placed.map((put, index) => named(put, `n${index}`));
    const others = standIns.map((put, index) => named(put, `s${index}`));
    const topology = {
      ...singleStoreTopology(stores[0]!.store),
      writePlacement: async () => ({ layoutVersion: 7, stores, standIns: () => others }),
      writeQuorum: () => 2,
    };
    const parts = { hasher: webCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger };
    const chunks = createReplicatedStore({ ...parts, topology });
    const put = chunks.put(sha256Sync(bytes), bytes, { attempts: 2 });
    return { asked, put: await put.catch((error: unknown) => error) };
  }

  test("goes to a stand-in when too few nodes of the placement answer, and says for whom", async () => {
    const away = failsWith("NODE_UNAVAILABLE");
    const { put, asked } = await write([takes, away, away], [takes, takes, takes]);
    expect(put).toMatchObject({
      ...{ layoutVersion: 7, nodeIds: ["n0", "s0"], missedNodeIds: ["n1", "n2"], standInNodeIds: ["s0"] },
      ...{ replicas: 2, receipts: ["signed", "signed"] },
    });
    expect(asked).not.toContain("s1");
  });

  test("goes to the next stand-in if one does not answer either, and fails if too few are left", async () => {
    const away = failsWith("NODE_UNAVAILABLE");
    const { put } = await write([away, away, away], [away, takes, takes]);
    expect(put).toMatchObject({ nodeIds: ["s1", "s2"], standInNodeIds: ["s1", "s2"] });
    const { put: failed } = await write([takes, away, away], [away, away, away]);
    expect(failed).toMatchObject({ code: "QUORUM_NOT_REACHED" });
  });

  test("needs no stand-in while the quorum is there, or merely slow", async () => {
    const away = failsWith("NODE_UNAVAILABLE");
    const late = async () => {
      await systemClock.sleep(50);
      return await takes();
    };
    const { put, asked } = await write([late, away, late], [takes]);
    expect(put).toMatchObject({ nodeIds: ["n0", "n2"], missedNodeIds: ["n1"] });
    expect(put).not.toHaveProperty("standInNodeIds");
    expect(asked).not.toContain("s0");
  });

  test("asks nobody to stand in for nodes that refuse it, or are full", async () => {
    for (const code of ["PERMISSION_DENIED", "DISK_FULL"] as const) {
      const { put, asked } = await write([takes, failsWith(code), failsWith(code)], [takes, takes]);
      expect(put).toMatchObject({ code });
      expect(asked.filter((nodeId) => nodeId.startsWith("s"))).toEqual([]);
    }
  });
});

test("a read finds the copy of a stand-in, and calls nothing bad that stands in for nobody", async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const bad: string[] = [];
  const named = (nodeId: string, getChunk: ChunkStore["getChunk"], isStandIn = false) => ({
    ...{ nodeId, available: true, isStandIn },
    store: { getChunk } as Pick<ChunkStore, "getChunk"> as ChunkStore,
  });
  const absent = async (): Promise<undefined> => undefined;
  const placed = [named("n0", absent)];
  const standIns = [named("s0", absent, true), named("s1", async () => bytes, true)];
  const topology = {
    ...singleStoreTopology(placed[0]!.store),
    readCandidates: async (_id: unknown, options: { readonly standIns?: boolean | undefined } = {}) =>
      options.standIns === true ? [...placed, ...standIns] : placed,
  };
  const parts = { hasher: webCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger };
  const chunks = createReplicatedStore({ ...parts, topology, onBadCopy: ({ nodeId }) => void bad.push(nodeId) });
  expect(await chunks.get(sha256Sync(bytes), { sizeBytes: 3 })).toEqual(bytes);
  expect(bad).toEqual(["n0"]);
});
