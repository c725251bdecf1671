import type { Digest } from "./digest.ts";

/** A SHA-256 in progress. Synchronous: the owner decides on which thread it runs. */
export interface IncrementalHash {
  /** Adds bytes; they are read before the call returns and may be reused afterwards. */
  update(bytes: Uint8Array): void;
  /** Ends the hash; nothing may be called afterwards. */
  digest(): Digest;
}

/** SHA-256, one shot and incremental. */
export interface Hasher {
  /** SHA-256 of `bytes`, which are borrowed until the promise settles. */
  digest(bytes: Uint8Array): Promise<Digest>;
  /** Starts a hash. A promise if its code has to be loaded first; NODE_UNAVAILABLE if it cannot be loaded. */
  incremental(): IncrementalHash | Promise<IncrementalHash>;
}
