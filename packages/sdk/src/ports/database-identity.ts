import type { CallOptions } from "./chunk-store.ts";
import type { DatabaseMark } from "./database-mark.ts";

/** The identity of a metadata database. */
export interface DatabaseIdentity {
  databaseMark(options?: CallOptions): Promise<DatabaseMark>;
  /**
   * Raises the epoch by one if it still is `epoch`, and ends a takeover, because every store has accepted the mark. Durable before it resolves, in
   * every durability mode: chunk stores get the new epoch right after.
   */
  advanceDatabase(epoch: number, options?: CallOptions): Promise<void>;
  /**
   * Makes the stores take this database in place of the one that they served before (an operator's decision).
   * @param accept.keepOlder true: chunks that were last claimed before now are kept for good; false: none are.
   */
  acceptDatabase(accept: { readonly keepOlder: boolean }, options?: CallOptions): Promise<void>;
  /** Looks for damage in the whole database; takes minutes for gigabytes. @returns the problems, in words; empty if there are none. */
  checkIntegrity(options?: CallOptions): Promise<readonly string[]>;
}
