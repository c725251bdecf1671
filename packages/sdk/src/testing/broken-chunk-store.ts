import { type ChunkStore, isStreamingChunkStore, type StreamingChunkStore } from "../ports/index.ts";
import type { ChunkStoreSubject } from "./chunk-store/contract-case.ts";

/** A chunk store with one fault. The contract suite must fail on each broken store; otherwise it would not notice that fault in a real store. */
export interface BrokenChunkStore {
  /** What the store does wrong, as a phrase. */
  readonly fault: string;
  /** Name of the contract case that must notice this fault. Other cases may notice it too. */
  readonly caughtBy: string;
  /** Methods that replace those of a store without faults. */
  readonly override: (sound: StreamingChunkStore) => Partial<StreamingChunkStore>;
  /** Runs before the store without faults is reopened. */
  readonly beforeReopen?: (sound: StreamingChunkStore) => Promise<void>;
}

/** Adds a fault to a subject without faults, whose store must be persistent and take streams. */
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
