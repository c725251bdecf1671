import { AshlarError } from "@ashlar/sdk/errors";
import type { Logger } from "@ashlar/sdk/ports";
import { errnoOf } from "./fs-error.ts";

const HARMLESS: ReadonlySet<string> = new Set(["ENOENT", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

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
    // A folder that is gone, or a disk without room, is no failing disk: that write fails, and the next one says so again.
    if (HARMLESS.has(errnoOf(error) ?? "")) return;
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
