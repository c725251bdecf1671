import type { CallOptions } from "./chunk-store.ts";

/**
 * Options of a call that changes something.
 *
 * A call that names itself happens once, however often it is tried: the store keeps its result for OPERATION_KEPT_MS, in the same transaction as
 * the change, and answers further tries with it, whatever happened since. A refused try leaves nothing, and is decided anew.
 */
export interface WriteOptions extends CallOptions {
  /**
   * The same for all tries of one call and for no other: 128 random bits, or the caller's own 22 to 80 of `[A-Za-z0-9._-]`. With another request
   * than the one it was used for it is INVALID_ARGUMENT. Default: the call has no name, and each try counts.
   */
  readonly operationId?: string | undefined;
  /** Whose operation ids they are: the same id of somebody else names another call. For gateways, which know who calls; any text. Default "". */
  readonly credential?: string | undefined;
  /** Told by whoever carries the write out; see {@link WriteOutcome}. */
  readonly outcome?: WriteOutcome | undefined;
}

/** What is known of a write while it runs. */
export interface WriteOutcome {
  /** Whether it may have happened: a try is under way, or its answer was lost. */
  unknown: boolean;
}
