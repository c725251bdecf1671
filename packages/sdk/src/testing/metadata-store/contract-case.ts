import type { MetadataStore } from "../../ports/index.ts";

/** One metadata store under test, isolated from all others, with the default layout policy. */
export interface MetadataStoreSubject {
  /** The open store; after `reopen()` the new one. */
  readonly store: MetadataStore;
  /** Closes the store and opens another on the same data. Called only if `capabilities.persistent`. */
  reopen(): Promise<MetadataStore>;
  /** Opens a second store on the same data; `dispose()` closes it. Called only if `capabilities.sharedByProcesses`. */
  second(): Promise<MetadataStore>;
  /** Closes the stores and removes the data. */
  dispose(): Promise<void>;
}

/** Makes a new, empty subject. */
export type CreateMetadataStoreSubject = () => Promise<MetadataStoreSubject>;

/** The input of a case. */
export interface MetadataStoreCaseContext {
  readonly subject: MetadataStoreSubject;
  readonly store: MetadataStore;
  /** Makes further subjects; the case disposes them. */
  readonly create: CreateMetadataStoreSubject;
}

/** One sentence about the behaviour of a metadata store, and a check whether it is true. */
export interface MetadataStoreCase {
  readonly name: string;
  /** Whether the case makes sense for this store, by its capabilities; default always. */
  readonly applies?: (store: MetadataStore) => boolean;
  /** Throws if the sentence is false. */
  readonly run: (context: MetadataStoreCaseContext) => Promise<void>;
}

/** Applies to stores that keep their data across reopening. */
export const ifPersistent = (store: MetadataStore): boolean => store.capabilities.persistent;

/** Applies to stores that several processes may use at once. */
export const ifShared = (store: MetadataStore): boolean => store.capabilities.sharedByProcesses;

/** A metadata store with one fault. The contract suite must fail on each broken store; otherwise it would not notice that fault in a real store. */
export interface BrokenMetadataStore {
  /** What the store does wrong, as a phrase. */
  readonly fault: string;
  /** Name of the contract case that must notice this fault. Other cases may notice it too. */
  readonly caughtBy: string;
  /** Methods that replace those of a store without faults. */
  readonly override: (sound: MetadataStore) => Partial<MetadataStore>;
  /** Runs before the store without faults is reopened. */
  readonly beforeReopen?: (sound: MetadataStore) => Promise<void>;
}
