import { AshlarError } from "../errors/index.ts";
import type { Clock } from "../ports/index.ts";
import { startElapsed } from "./elapsed.ts";

/** The part of a claim's life in which a commit may rest on it: the rest is for the commit's own way. Receipts end in the same proportion. */
const USABLE_SHARE = 23 / 24;

/**
 * Starts the clock of an upload, before it claims its first chunk. A process that opens the store after the wall clock moved on knows the claims by
 * wall time alone, and deletes by it.
 *
 * @returns to be called before each chunk and before each try of the commit. @throws {AshlarError} CLAIM_EXPIRED
 */
export function startClaims(clock: Clock, claimTtlMs: number): () => void {
  const elapsedMs = startElapsed(clock);
  return () => {
    if (elapsedMs() <= claimTtlMs * USABLE_SHARE) return;
    throw new AshlarError(
      "CLAIM_EXPIRED",
      "the upload took longer than its chunks are kept, or the clock moved on that far (sleep, or it was set): upload it again, or in parts",
    );
  };
}
