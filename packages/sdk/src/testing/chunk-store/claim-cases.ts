import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import { type ChunkStore, type DatabaseMark, isStreamingChunkStore, systemClock } from "../../ports/index.ts";
import { type TestChunk, testChunk, testChunks } from "../test-bytes.ts";
import type { ChunkStoreCase, ChunkStoreCaseContext } from "./contract-case.ts";
import { expectBytes } from "./expectations.ts";

const LONG = Object.freeze({ unclaimedForMs: 3_600_000 });
/** Allowed error of a store's ages: file times and timers have whole ms. */
const TOLERANCE_MS = 20;
const IDLE_MS = 250;
/** The longest idle time of a chunk, on a machine that stalls. */
const IDLE_MAX_MS = 8000;

async function unclaimedForMs(store: ChunkStore, chunk: TestChunk): Promise<number> {
  const { chunks } = await store.listChunks();
  const id = encodeHex(chunk.chunkId);
  const listed = chunks.find(({ chunkId }) => encodeHex(chunkId) === id);
  return listed?.unclaimedForMs ?? expect.fail("the chunk is not listed");
}

/**
 * Checks what a claim, or a call that must not claim, does to the age of an idle chunk in the store's own listing.
 *
 * The bounds come from times measured around the calls, so a slow machine widens them and cannot make the case fail. It cannot hide a fault either:
 * if the calls took so long that both ages would be within the bounds, the check is repeated with a longer idle time.
 */
export async function expectAge(
  { store }: Pick<ChunkStoreCaseContext, "store">,
  claims: boolean,
  act: (chunk: TestChunk) => Promise<unknown>,
  idleMs: number = IDLE_MS,
): Promise<void> {
  const chunk = await testChunk(4000, 1);
  await store.putChunk(chunk.chunkId, chunk.bytes);
  const putEndedAtMs = systemClock.monotonicMs();
  await systemClock.sleep(idleMs);
  const actStartedAtMs = systemClock.monotonicMs();
  await act(chunk);
  const listStartedAtMs = systemClock.monotonicMs();
  const ageMs = await unclaimedForMs(store, chunk);
  const listEndedAtMs = systemClock.monotonicMs();
  const isTooSlow = listEndedAtMs - actStartedAtMs > idleMs / 2;
  if (isTooSlow && idleMs < IDLE_MAX_MS) return await expectAge({ store }, claims, act, 2 * idleMs);
  if (claims) expect(ageMs).toBeLessThanOrEqual(listEndedAtMs - actStartedAtMs + TOLERANCE_MS);
  else expect(ageMs).toBeGreaterThanOrEqual(listStartedAtMs - putEndedAtMs - TOLERANCE_MS);
}

const RACED_CHUNKS = 40;
const RACE_ROUNDS = 5;
const RACE_ATTEMPTS_MAX = 8;
/** How much later than the delete the claim starts; negative: the delete starts later. Wide enough for the steps of both on disk to interleave. */
const CLAIM_LAGS_MS = Object.freeze([0, 1, 2, 3, 4, 6, 8, 0, -1, -2]);

/** Starts `work` after `delayMs`; at once, in the same turn, if that is 0 or less. */
async function startAfter<T>(delayMs: number, work: () => Promise<T>): Promise<T> {
  if (delayMs > 0) await systemClock.sleep(delayMs);
  return await work();
}

/**
 * Races one claim against one delete of each of many chunks that are just old enough to be deleted.
 *
 * A round counts only if it ended while the claims were still fresh; otherwise it is repeated with more time.
 *
 * @param claim resolves to whether the chunk was claimed.
 */
async function raceClaims(
  context: ChunkStoreCaseContext,
  claim: (store: ChunkStore, chunk: TestChunk) => Promise<boolean>,
): Promise<void> {
  const { store } = context;
  const chunks = await testChunks(RACED_CHUNKS, 1500);
  let counted = 0;
  let idleMs = IDLE_MS;
  for (let attempt = 0; counted < RACE_ROUNDS && attempt < RACE_ATTEMPTS_MAX; attempt++) {
    await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
    await systemClock.sleep(idleMs + TOLERANCE_MS);
    const startedAtMs = systemClock.monotonicMs();
    const raced = await Promise.all(
      chunks.map(async (chunk, index) => {
        const lagMs = CLAIM_LAGS_MS[index % CLAIM_LAGS_MS.length] as number;
        const removing = startAfter(-lagMs, () => store.deleteChunks([chunk.chunkId], { unclaimedForMs: idleMs }));
        const claiming = startAfter(lagMs, () => claim(store, chunk));
        const [[outcome], claimed] = await Promise.all([removing, claiming]);
        return { chunk, outcome, claimed };
      }),
    );
    if (systemClock.monotonicMs() - startedAtMs > idleMs - TOLERANCE_MS) {
      idleMs *= 2;
      continue;
    }
    counted++;
    for (const { chunk, outcome, claimed } of raced) {
      const found = await store.getChunk(chunk.chunkId);
      if (claimed) expectBytes(found, chunk.bytes);
      else expect([outcome, found]).toEqual(["deleted", undefined]);
    }
  }
  expect(counted, "rounds that ended in time").toBeGreaterThan(0);
}

export const CLAIM_CASES: readonly ChunkStoreCase[] = [
  {
    name: "put claims a new chunk: a conditional delete refuses it and it stays",
    async run({ store }) {
      const { chunkId, bytes } = await testChunk(4000, 1);
      await store.putChunk(chunkId, bytes);
      expect(await store.deleteChunks([chunkId], LONG)).toEqual(["claimed"]);
      expectBytes(await store.getChunk(chunkId), bytes);
    },
  },
  {
    name: "a conditional delete removes a chunk that has been unclaimed long enough",
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(4000, 1);
      await store.putChunk(chunkId, bytes);
      await systemClock.sleep(100);
      expect(await store.deleteChunks([chunkId], { unclaimedForMs: 50 })).toEqual(["deleted"]);
      expect(await store.getChunk(chunkId)).toBeUndefined();
      expect((await subject.inspect()).leftovers).toEqual([]);
    },
  },
  {
    name: "one conditional delete removes the old chunks and refuses the claimed ones",
    async run({ store }) {
      const chunks = await testChunks(6, 400);
      const claimed = chunks.filter((_, index) => index % 2 === 1).map(({ chunkId }) => chunkId);
      const ids = chunks.map(({ chunkId }) => chunkId);
      for (let idleMs = 1000; ; idleMs *= 2) {
        for (const { chunkId, bytes } of chunks) await store.putChunk(chunkId, bytes);
        await systemClock.sleep(idleMs);
        const startedAtMs = systemClock.monotonicMs();
        await store.hasChunks(claimed, { claim: true });
        const outcomes = await store.deleteChunks(ids, { unclaimedForMs: 0.9 * idleMs });
        // If the machine stalled this long, the claims are old too, and the outcomes prove nothing.
        if (systemClock.monotonicMs() - startedAtMs > 0.8 * idleMs && idleMs < IDLE_MAX_MS) continue;
        expect(outcomes).toEqual(["deleted", "claimed", "deleted", "claimed", "deleted", "claimed"]);
        return;
      }
    },
  },
  {
    name: "a chunk's age counts from its put",
    run: (context) => expectAge(context, false, async () => {}),
  },
  {
    name: "put of a chunk that is there claims it again",
    run: (context) => expectAge(context, true, ({ chunkId, bytes }) => context.store.putChunk(chunkId, bytes)),
  },
  {
    name: "has with claim claims",
    run: (context) => expectAge(context, true, ({ chunkId }) => context.store.hasChunks([chunkId], { claim: true })),
  },
  {
    name: "has without claim does not claim",
    run: (context) => expectAge(context, false, ({ chunkId }) => context.store.hasChunks([chunkId], { claim: false })),
  },
  {
    name: "get does not claim",
    run: (context) => expectAge(context, false, ({ chunkId }) => context.store.getChunk(chunkId)),
  },
  {
    name: "a refused delete does not claim",
    run: (context) => expectAge(context, false, ({ chunkId }) => context.store.deleteChunks([chunkId], LONG)),
  },
  {
    name: "put of wrong bytes does not claim the chunk that is there",
    run: (context) =>
      expectAge(context, false, ({ chunkId }) => context.store.putChunk(chunkId, new Uint8Array(4000)).catch(() => {})),
  },
  {
    name: "has with claim does not make absent chunks present",
    async run({ store, subject }) {
      const { chunkId } = await testChunk(10, 1);
      expect(await store.hasChunks([chunkId], { claim: true })).toEqual([undefined]);
      expect((await subject.inspect()).chunks.size).toBe(0);
    },
  },
  {
    name: "a put raced by deletes is kept once it is acknowledged",
    run: (context) =>
      raceClaims(context, async (store, { chunkId, bytes }) => {
        await store.putChunk(chunkId, bytes);
        return true;
      }),
  },
  {
    name: "a claim raced by deletes holds if it was granted",
    run: (context) =>
      raceClaims(context, async (store, { chunkId }) => {
        const [presence] = await store.hasChunks([chunkId], { claim: true });
        return presence !== undefined;
      }),
  },
  {
    name: "a streamed put raced by deletes is kept once it is acknowledged",
    applies: isStreamingChunkStore,
    run: (context) =>
      raceClaims(context, async (store, { chunkId, bytes }) => {
        if (!isStreamingChunkStore(store)) return expect.fail("the store does not take streams any more");
        const source = async function* (): AsyncGenerator<Uint8Array> {
          yield bytes;
        };
        await store.putChunkStream(chunkId, source());
        return true;
      }),
  },
  {
    name: "nothing is deleted for another database, or for an older state of the one that was seen, until it takes over",
    async run({ store, subject }) {
      const [kept, garbage] = (await testChunks(2, 4000)) as [TestChunk, TestChunk];
      const mark = { databaseId: "a".repeat(32), epoch: 5, ageMs: 3_600_000, takesOver: false };
      const other = { ...mark, databaseId: "b".repeat(32) };
      const remove = (from: ChunkStore, chunk: TestChunk, database: DatabaseMark): Promise<unknown> =>
        from.deleteChunks([chunk.chunkId], { unclaimedForMs: 0, database });
      await store.putChunk(kept.chunkId, kept.bytes);
      await store.putChunk(garbage.chunkId, garbage.bytes);
      expect(await remove(store, garbage, mark)).toEqual(["deleted"]);
      const again = store.capabilities.persistent ? await subject.reopen() : store;
      const refusal = { code: "METADATA_CORRUPT" };
      await expect(remove(again, kept, other)).rejects.toMatchObject(refusal);
      await expect(remove(again, kept, { ...mark, epoch: 4 })).rejects.toMatchObject(refusal);
      expectBytes(await again.getChunk(kept.chunkId), kept.bytes);
      // A database that is younger than the chunk cannot know it. Clocks have whole milliseconds, so wait until the chunk is older by them too.
      await systemClock.sleep(TOLERANCE_MS);
      expect(await remove(again, kept, { ...other, ageMs: 0, takesOver: true })).toEqual(["claimed"]);
      await expect(remove(again, kept, mark)).rejects.toMatchObject(refusal);
      expect(await again.deleteChunks([kept.chunkId], { unclaimedForMs: 0 })).toEqual(["deleted"]);
    },
  },
];
