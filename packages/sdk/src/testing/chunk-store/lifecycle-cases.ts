import { expect } from "vitest";
import { AshlarError } from "../../errors/index.ts";
import { encodeHex } from "../../hash/index.ts";
import {
  type CallOptions,
  type ChunkStore,
  isScrubbingChunkStore,
  isStreamingChunkStore,
  type ScrubbingChunkStore,
  systemClock,
} from "../../ports/index.ts";
import { type TestChunk, testChunk, testChunks } from "../test-bytes.ts";
import { type ChunkStoreCase, ifPersistent } from "./contract-case.ts";
import { expectAborts, expectBytes, expectCode, expectKept } from "./expectations.ts";

/** Every method with the same signature, so that one check can run all of them. */
type Call = (store: ChunkStore, chunk: TestChunk, options: CallOptions) => Promise<unknown>;

const CALLS: Readonly<Record<string, Call>> = {
  putChunk: (store, { chunkId, bytes }, options) => store.putChunk(chunkId, bytes, options),
  getChunk: (store, { chunkId }, options) => store.getChunk(chunkId, options),
  hasChunks: (store, { chunkId }, options) => store.hasChunks([chunkId], { ...options, claim: false }),
  "hasChunks with claim": (store, { chunkId }, options) => store.hasChunks([chunkId], { ...options, claim: true }),
  deleteChunks: (store, { chunkId }, options) => store.deleteChunks([chunkId], { ...options, unclaimedForMs: 0 }),
  listChunks: (store, _chunk, options) => store.listChunks(options),
  stats: (store, _chunk, options) => store.stats(options),
};

/** Of stores that check their chunks. */
const SCRUB_CALLS: Readonly<
  Record<string, (store: ScrubbingChunkStore, ...args: Parameters<Call>) => Promise<unknown>>
> = {
  scrubChunk: (store, _store, { chunkId }, options) => store.scrubChunk(chunkId, options),
  lostChunks: (store, _store, _chunk, options) => store.lostChunks(options),
  readScrubRecord: (store, _store, _chunk, options) => store.readScrubRecord(options),
  writeScrubRecord: (store, _store, _chunk, options) => store.writeScrubRecord({ sinceMs: 1 }, options),
};

function callsOf(store: ChunkStore): ReadonlyArray<readonly [string, Call]> {
  const calls = streamingCalls(store);
  if (!isScrubbingChunkStore(store)) return calls;
  const scrubs = Object.entries(SCRUB_CALLS).map(([name, call]): readonly [string, Call] => [
    name,
    (...args) => call(store, ...args),
  ]);
  return [...calls, ...scrubs];
}

function streamingCalls(store: ChunkStore): ReadonlyArray<readonly [string, Call]> {
  if (!isStreamingChunkStore(store)) return Object.entries(CALLS);
  const stream: Call = (_store, { chunkId, bytes }, options) => {
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
    };
    return store.putChunkStream(chunkId, source(), options);
  };
  return [...Object.entries(CALLS), ["putChunkStream", stream]];
}

export const LIFECYCLE_CASES: readonly ChunkStoreCase[] = [
  {
    name: "two stores know nothing of each other",
    async run({ store, create }) {
      const other = await create();
      try {
        const [a, b] = (await testChunks(2, 100)) as [TestChunk, TestChunk];
        await store.putChunk(a.chunkId, a.bytes);
        await other.store.putChunk(b.chunkId, b.bytes);
        expect(await store.getChunk(b.chunkId)).toBeUndefined();
        expect(await other.store.getChunk(a.chunkId)).toBeUndefined();
        expect((await other.store.listChunks()).chunks).toHaveLength(1);
      } finally {
        await other.dispose();
      }
    },
  },
  {
    name: "capabilities are frozen and sensible",
    async run({ store }) {
      expect(Object.isFrozen(store.capabilities)).toBe(true);
      expect(store.capabilities.chunkMaxBytes).toBeGreaterThanOrEqual(1024 * 1024);
      expect(store.capabilities.chunkMaxBytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    },
  },
  {
    name: "every method refuses a signal that is aborted already, and does nothing",
    async run({ store, subject }) {
      const kept = await testChunk(5000, 1);
      const refused = await testChunk(5000, 2);
      await store.putChunk(kept.chunkId, kept.bytes);
      for (const [method, call] of callsOf(store)) {
        const chunk = method.startsWith("put") ? refused : kept;
        await expectCode(call(store, chunk, { signal: AbortSignal.abort() }), "CANCELED");
        const late = AbortSignal.abort(new DOMException("late", "TimeoutError"));
        await expectCode(call(store, chunk, { signal: late }), "DEADLINE_EXCEEDED");
      }
      await expectKept(subject, [kept]);
    },
  },
  {
    name: "every method rejects within 100 ms of an abort during the call",
    async run({ store }) {
      const chunk = await testChunk(store.capabilities.chunkMaxBytes, 1);
      for (const [, call] of callsOf(store)) {
        const controller = new AbortController();
        await expectAborts(call(store, chunk, { signal: controller.signal }), () => controller.abort());
        const deadline = new AbortController();
        const timeOut = (): void => deadline.abort(new DOMException("late", "TimeoutError"));
        await expectAborts(call(store, chunk, { signal: deadline.signal }), timeOut, "DEADLINE_EXCEEDED");
      }
    },
  },
  {
    name: "a put that is aborted at any moment keeps the whole chunk or nothing, and no leftovers",
    async run({ store, subject }) {
      const chunk = await testChunk(store.capabilities.chunkMaxBytes, 1);
      for (const delayMs of [0, 1, 2, 4, 8, 16]) {
        const controller = new AbortController();
        // The caller may reuse its buffer once the call has rejected; the new content must never become visible.
        const buffer = chunk.bytes.slice();
        const call = store
          .putChunk(chunk.chunkId, buffer, { signal: controller.signal })
          .catch((error: unknown) => error);
        await systemClock.sleep(delayMs);
        controller.abort();
        const outcome = await call;
        buffer.fill(0);
        if (outcome instanceof Error) expect(AshlarError.is(outcome, "CANCELED")).toBe(true);
        const found = await store.getChunk(chunk.chunkId);
        if (found !== undefined || !(outcome instanceof Error)) expectBytes(found, chunk.bytes);
        await store.deleteChunks([chunk.chunkId], { unclaimedForMs: 0 });
      }
      await expectKept(subject, []);
    },
  },
  {
    name: "a call after an aborted one works",
    async run({ store, subject }) {
      const chunk = await testChunk(200_000, 1);
      const controller = new AbortController();
      const call = store.putChunk(chunk.chunkId, chunk.bytes, { signal: controller.signal });
      await expectAborts(call, () => controller.abort());
      await store.putChunk(chunk.chunkId, chunk.bytes);
      await expectKept(subject, [chunk]);
    },
  },
  {
    name: "close is idempotent, and every method refuses afterwards",
    async run({ store }) {
      const chunk = await testChunk(100, 1);
      await store.putChunk(chunk.chunkId, chunk.bytes);
      await Promise.all([store.close(), store.close()]);
      await store.close();
      for (const [, call] of callsOf(store)) await expectCode(call(store, chunk, {}), "STORE_CLOSED");
    },
  },
  {
    name: "close waits for the writes that run, and they are kept",
    applies: ifPersistent,
    async run({ store, subject }) {
      const chunks = await testChunks(8, 300_000);
      const puts = chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes));
      let settledCount = 0;
      for (const put of puts) put.then(() => settledCount++).catch(() => {});
      await store.close();
      // Wait one turn, so that calls that have settled in the store below have settled these promises too.
      await systemClock.sleep(0);
      expect(settledCount, "puts that had succeeded when close() did").toBe(puts.length);
      await subject.reopen();
      await expectKept(subject, chunks);
    },
  },
  {
    name: "chunks, their sizes and the stats survive reopening",
    applies: ifPersistent,
    async run({ store, subject }) {
      const chunks = await testChunks(12, 70_000);
      for (const { chunkId, bytes } of chunks) await store.putChunk(chunkId, bytes);
      await store.deleteChunks([chunks[0]!.chunkId], { unclaimedForMs: 0 });
      const kept = chunks.slice(1);
      const bytesUsed = kept.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
      const reopened = await subject.reopen();
      expect(await reopened.stats()).toMatchObject({ chunkCount: 11, bytesUsed });
      for (const { chunkId, bytes } of kept) expectBytes(await reopened.getChunk(chunkId), bytes);
      expect((await reopened.listChunks()).chunks.map(({ chunkId }) => encodeHex(chunkId))).toEqual(
        kept.map(({ chunkId }) => encodeHex(chunkId)).sort(),
      );
      expect(await reopened.putChunk(kept[0]!.chunkId, kept[0]!.bytes)).toMatchObject({ alreadyPresent: true });
    },
  },
  {
    name: "claims survive reopening, and so does their age",
    applies: ifPersistent,
    async run({ store, subject }) {
      const { chunkId, bytes } = await testChunk(1000, 1);
      await store.putChunk(chunkId, bytes);
      await systemClock.sleep(200);
      const reopened = await subject.reopen();
      expect(await reopened.deleteChunks([chunkId], { unclaimedForMs: 3_600_000 })).toEqual(["claimed"]);
      const [listed] = (await reopened.listChunks()).chunks;
      expect(listed?.unclaimedForMs).toBeGreaterThanOrEqual(180);
      expect(await reopened.deleteChunks([chunkId], { unclaimedForMs: 150 })).toEqual(["deleted"]);
    },
  },
];
