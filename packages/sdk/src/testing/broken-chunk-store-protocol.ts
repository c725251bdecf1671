import { bytesEqual, type Digest, encodeHex, webCryptoHasher } from "../hash/index.ts";
import { systemClock } from "../ports/index.ts";
import type { BrokenChunkStore } from "./broken-chunk-store.ts";

/** Options without their signal: the store forgets to pass it on. */
const withoutSignal = <T extends object>(options: T | undefined): T =>
  ({ ...options, signal: undefined }) as unknown as T;

/** Faults in claims and conditional deletes. */
export const CLAIM_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "does not claim when asked to",
    caughtBy: "has with claim claims",
    override: (sound) => ({
      hasChunks: (chunkIds, options) => sound.hasChunks(chunkIds, { ...options, claim: false }),
    }),
  },
  {
    fault: "claims when not asked to",
    caughtBy: "has without claim does not claim",
    override: (sound) => ({ hasChunks: (chunkIds, options) => sound.hasChunks(chunkIds, { ...options, claim: true }) }),
  },
  {
    fault: "does not claim a chunk that is put again",
    caughtBy: "put of a chunk that is there claims it again",
    override: (sound) => ({
      putChunk: async (chunkId, bytes, options) => {
        const [presence] = await sound.hasChunks([chunkId], { claim: false });
        const isSame = presence !== undefined && bytesEqual(await webCryptoHasher.digest(bytes), chunkId);
        if (!isSame || options?.signal?.aborted) return await sound.putChunk(chunkId, bytes, options);
        return { sizeBytes: bytes.byteLength, alreadyPresent: true };
      },
    }),
  },
  {
    fault: "deletes claimed chunks",
    caughtBy: "put claims a new chunk: a conditional delete refuses it and it stays",
    override: (sound) => ({
      deleteChunks: (chunkIds, options) =>
        sound.deleteChunks(chunkIds, { ...options, unclaimedForMs: options.unclaimedForMs >= 0 ? 0 : -1 }),
    }),
  },
  {
    fault: "checks the claim, and deletes a moment later",
    caughtBy: "a put raced by deletes is kept once it is acknowledged",
    override: (sound) => {
      const claimedAtMs = new Map<string, number>();
      const claim = (chunkId: Digest): void => void claimedAtMs.set(encodeHex(chunkId), systemClock.monotonicMs());
      return {
        putChunk: async (chunkId, bytes, options) => {
          const result = await sound.putChunk(chunkId, bytes, options);
          claim(chunkId);
          return result;
        },
        deleteChunks: async ([chunkId, ...others], options) => {
          if (chunkId === undefined || others.length > 0) return await sound.deleteChunks([], options);
          const ageMs = systemClock.monotonicMs() - (claimedAtMs.get(encodeHex(chunkId)) ?? 0);
          await systemClock.sleep(2);
          return await sound.deleteChunks([chunkId], ageMs < options.unclaimedForMs ? options : { unclaimedForMs: 0 });
        },
      };
    },
  },
];

/** Faults in aborting, closing and reopening. */
export const LIFECYCLE_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "ignores aborts",
    caughtBy: "every method refuses a signal that is aborted already, and does nothing",
    override: (sound) => ({
      putChunk: (chunkId, bytes, options) => sound.putChunk(chunkId, bytes, withoutSignal(options)),
      getChunk: (chunkId, options) => sound.getChunk(chunkId, withoutSignal(options)),
    }),
  },
  {
    fault: "checks the signal only before it begins",
    caughtBy: "every method rejects within 100 ms of an abort during the call",
    override: (sound) => ({
      listChunks: (options) => sound.listChunks(options?.signal?.aborted ? options : withoutSignal(options)),
    }),
  },
  {
    fault: "waits for a stalled source after an abort",
    caughtBy: "an abort ends a stream whose source is stalled, and nothing is kept",
    override: (sound) => ({
      putChunkStream: (chunkId, source, options) => {
        const late = new AbortController();
        const abortLate = (): void => {
          systemClock.sleep(10_000).then(
            () => late.abort(),
            () => {},
          );
        };
        options?.signal?.addEventListener("abort", abortLate, { once: true });
        return sound.putChunkStream(chunkId, source, { ...options, signal: late.signal });
      },
    }),
  },
  {
    fault: "reports an expired deadline as an abort",
    caughtBy: "every method refuses a signal that is aborted already, and does nothing",
    override: (sound) => ({
      getChunk: (chunkId, options) =>
        sound.getChunk(chunkId, options?.signal?.aborted ? { ...options, signal: AbortSignal.abort() } : options),
    }),
  },
  {
    fault: "can be used after close",
    caughtBy: "close is idempotent, and every method refuses afterwards",
    override: () => ({ close: async () => {} }),
  },
  {
    fault: "closes without waiting for its writes",
    caughtBy: "close waits for the writes that run, and they are kept",
    override: (sound) => ({
      close: async () => {
        sound.close().catch(() => {});
      },
    }),
  },
  {
    fault: "loses its chunks when it is reopened",
    caughtBy: "chunks, their sizes and the stats survive reopening",
    override: () => ({}),
    beforeReopen: async (sound) => {
      // The store may be closed already; then nothing is deleted until the next reopening.
      const { chunks } = await sound.listChunks().catch(() => ({ chunks: [] }));
      const chunkIds = chunks.map(({ chunkId }) => chunkId);
      if (chunkIds.length > 0) await sound.deleteChunks(chunkIds, { unclaimedForMs: 0 });
    },
  },
  {
    fault: "forgets the age of its claims when it is reopened",
    caughtBy: "claims survive reopening, and so does their age",
    override: () => ({}),
    beforeReopen: async (sound) => {
      const { chunks } = await sound.listChunks().catch(() => ({ chunks: [] }));
      const chunkIds = chunks.map(({ chunkId }) => chunkId);
      if (chunkIds.length > 0) await sound.hasChunks(chunkIds, { claim: true });
    },
  },
];
