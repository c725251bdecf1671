import type { CallOptions } from "./chunk-store.ts";
import type { DatabaseMark } from "./database-mark.ts";

/** Who a metadata database is. */
export interface DatabaseIdentity {
  databaseMark(options?: CallOptions): Promise<DatabaseMark>;
  /**
   * Raises the epoch by one if it still is `epoch`, and ends a takeover: every store has accepted the mark. Durable once it is answered, whatever
   * the store's mode is: chunk stores are told right after.
   */
  advanceDatabase(epoch: number, options?: CallOptions): Promise<void>;
  /**
   * Takes the place of whatever database the stores served before (an operator's decision).
   * @param accept.keepOlder true: chunks that were last claimed before now are kept for good; false: nothing is.
   */
  acceptDatabase(accept: { readonly keepOlder: boolean }, options?: CallOptions): Promise<void>;
  /** Looks for damage in the database itself; a whole pass, minutes for gigabytes. @returns what is wrong, in words; empty if nothing is. */
  checkIntegrity(options?: CallOptions): Promise<readonly string[]>;
}
