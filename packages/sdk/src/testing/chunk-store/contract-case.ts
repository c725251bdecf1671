import type { Digest } from "../../hash/index.ts";
import type { ChunkStore } from "../../ports/index.ts";

/** What a store holds, seen through a second channel. */
export interface ChunkStoreInspection {
  /** Payload of every chunk by hex id, read without the store's own code. */
  readonly chunks: ReadonlyMap<string, Uint8Array>;
  /** Names of everything that is not a whole chunk, such as temporary files and quarantined chunks. Empty when no call is running. */
  readonly leftovers: readonly string[];
}

/** One store under test, isolated from all others. */
export interface ChunkStoreSubject {
  /** The open store; after `reopen()` the new one. Its `chunkMaxBytes` should be 1 to 8 MiB, so that the suite is quick. */
  readonly store: ChunkStore;
  /** Closes the store and opens another on the same data. Called only if `capabilities.persistent`. */
  reopen(): Promise<ChunkStore>;
  /** Looks at what the store holds without using the store. */
  inspect(): Promise<ChunkStoreInspection>;
  /** Changes a bit of a chunk behind the store's back. Needed if the store checks its chunks. */
  damage?(chunkId: Digest): Promise<void>;
  /** Closes the store and removes its data. */
  dispose(): Promise<void>;
}

/** Makes a new, empty subject. */
export type CreateChunkStoreSubject = () => Promise<ChunkStoreSubject>;

/** The input of a case. */
export interface ChunkStoreCaseContext {
  readonly subject: ChunkStoreSubject;
  readonly store: ChunkStore;
  /** Makes further subjects; the case disposes them. */
  readonly create: CreateChunkStoreSubject;
}

/** One sentence about the behaviour of a chunk store, and a check whether it is true. */
export interface ChunkStoreCase {
  readonly name: string;
  /** Whether the case makes sense for this store, by its capabilities and methods; default always. */
  readonly applies?: (store: ChunkStore) => boolean;
  /** Throws if the sentence is false. */
  readonly run: (context: ChunkStoreCaseContext) => Promise<void>;
}

/** Applies to stores that keep chunks across reopening. */
export const ifPersistent = (store: ChunkStore): boolean => store.capabilities.persistent;
