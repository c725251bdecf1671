import type { CallOptions } from "./chunk-store.ts";

/**
 * Options of a call that changes something.
 *
 * A call with an operation id happens once, however often it is tried: the store keeps its result for OPERATION_KEPT_MS, in the same transaction as
 * the change, and answers further tries with it, even if the object has changed since. A refused try leaves nothing; the next one is decided anew.
 */
export interface WriteOptions extends CallOptions {
  /**
   * The same for all tries of one call and for no other: 128 random bits, or the caller's own 22 to 80 of `[A-Za-z0-9._-]`. INVALID_ARGUMENT if it
   * was used for another request. Default: the call has no id, and each try is a call of its own.
   */
  readonly operationId?: string | undefined;
  /** Whose operation id it is: the same id under another credential is another call. Set by gateways, which know who calls; any text. Default "". */
  readonly credential?: string | undefined;
  /** Filled in while the write runs; see {@link WriteOutcome}. */
  readonly outcome?: WriteOutcome | undefined;
}

/** What is known of a write while it runs. */
export interface WriteOutcome {
  /** Whether the write may have happened: a try is running, or its answer was lost. */
  unknown: boolean;
}
