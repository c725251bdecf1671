import { bytesEqual, type Digest, encodeHex, webCryptoHasher } from "../hash/index.ts";
import { LIMITS } from "../limits.ts";
import {
  type ChunkStore,
  isStreamingChunkStore,
  type ListedChunk,
  type StreamingChunkStore,
  systemClock,
} from "../ports/index.ts";
import type { ChunkStoreSubject } from "./chunk-store/contract-case.ts";

/** A chunk store with one fault. The contract suite must fail on each one, or it would not notice that fault in a real store either. */
export interface BrokenChunkStore {
  /** What it does wrong, as a phrase. */
  readonly fault: string;
  /** Name of the contract case that is there for this fault. Others may notice it too. */
  readonly caughtBy: string;
  /** Methods that replace those of a sound store. */
  readonly override: (sound: StreamingChunkStore) => Partial<StreamingChunkStore>;
  /** Runs before the sound store is reopened. */
  readonly beforeReopen?: (sound: StreamingChunkStore) => Promise<void>;
}

/** Puts a fault over a sound subject, whose store must be persistent and take streams. */
export function breakChunkStore(sound: ChunkStoreSubject, broken: BrokenChunkStore): ChunkStoreSubject {
  let store = overrideStore(sound.store, broken);
  return {
    get store() {
      return store;
    },
    async reopen() {
      await broken.beforeReopen?.(asStreaming(sound.store));
      store = overrideStore(await sound.reopen(), broken);
      return store;
    },
    inspect: () => sound.inspect(),
    dispose: () => sound.dispose(),
  };
}

function asStreaming(store: ChunkStore): StreamingChunkStore {
  if (!isStreamingChunkStore(store)) throw new TypeError("a broken store is made from one that takes streams");
  return store;
}

function overrideStore(store: ChunkStore, broken: BrokenChunkStore): StreamingChunkStore {
  const sound = asStreaming(store);
  const methods: StreamingChunkStore = {
    capabilities: sound.capabilities,
    putChunk: (chunkId, bytes, options) => sound.putChunk(chunkId, bytes, options),
    putChunkStream: (chunkId, source, options) => sound.putChunkStream(chunkId, source, options),
    getChunk: (chunkId, options) => sound.getChunk(chunkId, options),
    hasChunks: (chunkIds, options) => sound.hasChunks(chunkIds, options),
    deleteChunks: (chunkIds, options) => sound.deleteChunks(chunkIds, options),
    listChunks: (options) => sound.listChunks(options),
    stats: (options) => sound.stats(options),
    close: () => sound.close(),
  };
  return { ...methods, ...broken.override(sound) };
}

/** A sound store seen by a caller that forgets to pass its signal on. */
const withoutSignal = <T extends object>(options: T | undefined): T =>
  ({ ...options, signal: undefined }) as unknown as T;

const READ_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "drops the last byte",
    caughtBy: "put and get return the bytes, and they lie below the store",
    override: (sound) => ({
      getChunk: async (chunkId, options) => {
        const bytes = await sound.getChunk(chunkId, options);
        return bytes === undefined || bytes.byteLength === 0 ? bytes : bytes.subarray(0, -1);
      },
    }),
  },
  {
    fault: "starts ranges of more than one block one byte too late",
    caughtBy: "get of a range returns exactly the range, at and around block borders",
    override: (sound) => ({
      getChunk: async (chunkId, options) => {
        const isLong = (options?.length ?? 0) > LIMITS.CHECKSUM_BLOCK_BYTES.value && (options?.offset ?? 0) > 0;
        return await sound.getChunk(chunkId, isLong ? { ...options, offset: (options?.offset ?? 0) + 1 } : options);
      },
    }),
  },
  {
    fault: "returns a neighbour's bytes when reads run at once",
    caughtBy: "100 reads at once each return their own chunk",
    override: (sound) => {
      let running: ReturnType<ChunkStore["getChunk"]> | undefined;
      return {
        getChunk: async (chunkId, options) => {
          running ??= sound.getChunk(chunkId, options).finally(() => {
            running = undefined;
          });
          return (await running)?.slice();
        },
      };
    },
  },
  {
    fault: "answers absent on any error",
    caughtBy: "get refuses a range that starts at or past the end",
    override: (sound) => ({
      getChunk: (chunkId, options) => sound.getChunk(chunkId, options).catch(() => undefined),
    }),
  },
  {
    fault: "hands out its own cached bytes",
    caughtBy: "what get returned is the caller's: changing it changes nothing in the store",
    override: (sound) => {
      const cache = new Map<string, Uint8Array>();
      return {
        getChunk: async (chunkId, options) => {
          const key = `${encodeHex(chunkId)} ${options?.offset} ${options?.length}`;
          const bytes = cache.get(key) ?? (await sound.getChunk(chunkId, options));
          if (bytes !== undefined) cache.set(key, bytes);
          return bytes;
        },
      };
    },
  },
  {
    fault: "answers has in another order",
    caughtBy: "has answers once per id and in order",
    override: (sound) => ({
      hasChunks: async (chunkIds, options) => [...(await sound.hasChunks(chunkIds, options))].reverse(),
    }),
  },
];

const WRITE_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "acknowledges before it has written",
    caughtBy: "put and get return the bytes, and they lie below the store",
    override: (sound) => ({
      putChunk: async (chunkId, bytes, options) => {
        if (!bytesEqual(await webCryptoHasher.digest(bytes), chunkId))
          return await sound.putChunk(chunkId, bytes, options);
        sound.putChunk(chunkId, bytes, options).catch(() => {});
        return { sizeBytes: bytes.byteLength, alreadyPresent: false };
      },
    }),
  },
  {
    fault: "accepts a wrong digest",
    caughtBy: "put refuses bytes that do not have the chunk id as their digest, and keeps nothing",
    override: (sound) => ({
      putChunk: async (_chunkId, bytes, options) =>
        await sound.putChunk(await webCryptoHasher.digest(bytes), bytes, options),
    }),
  },
  {
    fault: "keeps what a failed stream had sent",
    caughtBy: "an error of the source passes through unchanged and nothing is kept",
    override: (sound) => ({
      putChunkStream: async (chunkId, source, options) => {
        const pieces: Uint8Array[] = [];
        const spied = async function* (): AsyncGenerator<Uint8Array> {
          for await (const piece of source) {
            pieces.push(piece.slice());
            yield piece;
          }
        };
        return await sound.putChunkStream(chunkId, spied(), options).catch(async (error: unknown) => {
          const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
          await sound.putChunk(await webCryptoHasher.digest(bytes), bytes).catch(() => {});
          throw error;
        });
      },
    }),
  },
  {
    fault: "does not count what a stream sends against its declared size",
    caughtBy: "a stream that is long by one byte is refused, told to stop, and nothing is kept",
    override: (sound) => ({
      putChunkStream: (chunkId, source, options) =>
        sound.putChunkStream(chunkId, source, { ...options, sizeBytes: undefined }),
    }),
  },
  {
    fault: "never says that a chunk was there",
    caughtBy: "put of a chunk that is there says so and changes nothing",
    override: (sound) => ({
      putChunk: async (chunkId, bytes, options) => ({
        ...(await sound.putChunk(chunkId, bytes, options)),
        alreadyPresent: false,
      }),
    }),
  },
];

const CLAIM_FAULTS: readonly BrokenChunkStore[] = [
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
    fault: "looks at the claim, and deletes a moment later",
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

const LIST_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "leaves out the last chunk of a page",
    caughtBy: "list names every chunk once, in digest order, with its size, whatever the page size",
    override: (sound) => ({
      listChunks: async (options) => {
        const page = await sound.listChunks(options);
        return page.nextCursor === undefined ? page : { ...page, chunks: page.chunks.slice(0, -1) };
      },
    }),
  },
  {
    fault: "repeats the chunk at a page border",
    caughtBy: "list names every chunk once, in digest order, with its size, whatever the page size",
    override: (sound) => {
      let last: ListedChunk | undefined;
      return {
        listChunks: async (options) => {
          const page = await sound.listChunks(options);
          const chunks =
            options?.cursor === undefined || last === undefined
              ? page.chunks
              : [last, ...page.chunks].slice(0, options.limit);
          last = page.chunks.at(-1);
          return { ...page, chunks };
        },
      };
    },
  },
  {
    fault: "lists in the order of writing",
    caughtBy: "list names every chunk once, in digest order, with its size, whatever the page size",
    override: (sound) => ({
      listChunks: async (options) => {
        const page = await sound.listChunks(options);
        return { ...page, chunks: page.chunks.toSorted((a, b) => b.sizeBytes - a.sizeBytes) };
      },
    }),
  },
  {
    fault: "does not take deleted chunks out of its stats",
    caughtBy: "stats count chunks and payload bytes through puts, repeated puts and deletes",
    override: (sound) => {
      let most = { chunkCount: 0, bytesUsed: 0 };
      return {
        stats: async (options) => {
          const stats = await sound.stats(options);
          if (stats.chunkCount > most.chunkCount) most = stats;
          return { ...stats, ...most };
        },
      };
    },
  },
];

const LIFECYCLE_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "swallows aborts",
    caughtBy: "every method refuses a signal that is aborted already, and does nothing",
    override: (sound) => ({
      putChunk: (chunkId, bytes, options) => sound.putChunk(chunkId, bytes, withoutSignal(options)),
      getChunk: (chunkId, options) => sound.getChunk(chunkId, withoutSignal(options)),
    }),
  },
  {
    fault: "looks at the signal only before it begins",
    caughtBy: "every method rejects within 100 ms of an abort during the call",
    override: (sound) => ({
      listChunks: (options) => sound.listChunks(options?.signal?.aborted ? options : withoutSignal(options)),
    }),
  },
  {
    fault: "lets a stalled source keep an aborted call waiting",
    caughtBy: "an abort ends a stream whose source is stalled, and nothing is kept",
    override: (sound) => ({
      putChunkStream: (chunkId, source, options) => {
        const late = new AbortController();
        const abortLate = (): void => {
          systemClock.sleep(1500).then(
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
    fault: "calls an expired deadline an abort",
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
    fault: "forgets when it is reopened",
    caughtBy: "chunks, their sizes and the stats survive reopening",
    override: () => ({}),
    beforeReopen: async (sound) => {
      // The store may be closed by now; then the next one forgets.
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

/** One store per fault. */
export const BROKEN_CHUNK_STORES: readonly BrokenChunkStore[] = Object.freeze([
  ...READ_FAULTS,
  ...WRITE_FAULTS,
  ...CLAIM_FAULTS,
  ...LIST_FAULTS,
  ...LIFECYCLE_FAULTS,
]);
