import { AshlarError } from "@ashlar/sdk/errors";
import type { Logger } from "@ashlar/sdk/ports";

/**
 * Whether the store still takes writes.
 *
 * After a failed sync the kernel may call the same pages clean, and the next sync of the same file or folder succeeds though they never reached the
 * disk. What can be written anew is; where that is not possible, the store stops: nothing that it would acknowledge could be believed.
 */
export class StoreHealth {
  readonly #logger: Logger;
  #failure: unknown;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param what could not be done, for the log. */
  stop(error: unknown, what: string): void {
    if (this.#failure === undefined) this.#logger.error({ error }, `${what}; the chunk store takes no more writes`);
    this.#failure ??= error;
  }

  /** @throws {AshlarError} NODE_UNAVAILABLE once the store has stopped. */
  assertWritable(): void {
    if (this.#failure === undefined) return;
    const message =
      "an earlier sync of the chunk store failed; it takes no more writes until it is opened anew: see whether the disk is failing first";
    throw new AshlarError("NODE_UNAVAILABLE", message, { cause: this.#failure });
  }
}
