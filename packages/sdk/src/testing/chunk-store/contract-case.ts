import type { ChunkStore } from "../../ports/index.ts";

/** What the second channel saw below a store. */
export interface ChunkStoreInspection {
  /** Payload of every chunk by hex id, read without the store's own code. */
  readonly chunks: ReadonlyMap<string, Uint8Array>;
  /** Names of everything that is not a whole chunk: temporary files, chunks set aside. Empty when nothing is under way. */
  readonly leftovers: readonly string[];
}

/** One store under test, isolated from all others. */
export interface ChunkStoreSubject {
  /** The open store; after `reopen()` the new one. Its `chunkMaxBytes` should be 1 to 8 MiB, so that the suite is quick. */
  readonly store: ChunkStore;
  /** Closes the store and opens another on the same data. Called only if `capabilities.persistent`. */
  reopen(): Promise<ChunkStore>;
  /** Looks below the store by other means than the store. */
  inspect(): Promise<ChunkStoreInspection>;
  /** Closes the store and removes its data. */
  dispose(): Promise<void>;
}

/** Makes a new, empty subject. */
export type CreateChunkStoreSubject = () => Promise<ChunkStoreSubject>;

/** What a case gets. */
export interface ChunkStoreCaseContext {
  readonly subject: ChunkStoreSubject;
  readonly store: ChunkStore;
  /** Makes further subjects; the case disposes them. */
  readonly create: CreateChunkStoreSubject;
}

/** One sentence about the behaviour of a chunk store, and how to find out whether it is true. */
export interface ChunkStoreCase {
  readonly name: string;
  /** Whether the case makes sense for this store, by what the store says of itself; default always. */
  readonly applies?: (store: ChunkStore) => boolean;
  /** Throws if the sentence is false. */
  readonly run: (context: ChunkStoreCaseContext) => Promise<void>;
}

/** Applies to stores that keep chunks across reopening. */
export const ifPersistent = (store: ChunkStore): boolean => store.capabilities.persistent;
