import type { Digest } from "../hash/index.ts";
import {
  type ChunkStore,
  isScrubbingChunkStore,
  isStreamingChunkStore,
  type ScrubbingChunkStore,
  type StreamingChunkStore,
} from "../ports/index.ts";
import type { ChunkStoreSubject } from "./chunk-store/contract-case.ts";

/** A store with everything in which a fault may be. */
export type BreakableChunkStore = StreamingChunkStore & ScrubbingChunkStore;

/** A chunk store with one fault. The contract suite must fail on each broken store; otherwise it would not notice that fault in a real store. */
export interface BrokenChunkStore {
  /** What the store does wrong, as a phrase. */
  readonly fault: string;
  /** Name of the contract case that must notice this fault. Other cases may notice it too. */
  readonly caughtBy: string;
  /** Methods that replace those of a store without faults. */
  readonly override: (sound: BreakableChunkStore) => Partial<BreakableChunkStore>;
  /** Runs before the store without faults is reopened. */
  readonly beforeReopen?: (sound: BreakableChunkStore) => Promise<void>;
}

/** Adds a fault to a subject without faults, whose store must be persistent, take streams and check its chunks. */
export function breakChunkStore(sound: ChunkStoreSubject, broken: BrokenChunkStore): ChunkStoreSubject {
  let store = overrideStore(sound.store, broken);
  return {
    get store() {
      return store;
    },
    async reopen() {
      await broken.beforeReopen?.(asBreakable(sound.store));
      store = overrideStore(await sound.reopen(), broken);
      return store;
    },
    inspect: () => sound.inspect(),
    damage: async (chunkId: Digest) => await sound.damage?.(chunkId),
    dispose: () => sound.dispose(),
  };
}

function asBreakable(store: ChunkStore): BreakableChunkStore {
  if (isStreamingChunkStore(store) && isScrubbingChunkStore(store)) return store;
  throw new TypeError("a broken store is made from one that takes streams and checks its chunks");
}

function overrideStore(store: ChunkStore, broken: BrokenChunkStore): BreakableChunkStore {
  const sound = asBreakable(store);
  const methods: BreakableChunkStore = {
    capabilities: sound.capabilities,
    putChunk: (chunkId, bytes, options) => sound.putChunk(chunkId, bytes, options),
    putChunkStream: (chunkId, source, options) => sound.putChunkStream(chunkId, source, options),
    getChunk: (chunkId, options) => sound.getChunk(chunkId, options),
    hasChunks: (chunkIds, options) => sound.hasChunks(chunkIds, options),
    deleteChunks: (chunkIds, options) => sound.deleteChunks(chunkIds, options),
    listChunks: (options) => sound.listChunks(options),
    stats: (options) => sound.stats(options),
    scrubChunk: (chunkId, options) => sound.scrubChunk(chunkId, options),
    lostChunks: (options) => sound.lostChunks(options),
    readScrubRecord: (options) => sound.readScrubRecord(options),
    writeScrubRecord: (record, options) => sound.writeScrubRecord(record, options),
    close: () => sound.close(),
  };
  return { ...methods, ...broken.override(sound) };
}
