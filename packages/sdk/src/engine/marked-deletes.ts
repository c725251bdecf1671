import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, digestFromBytes } from "../hash/digest.ts";
import type { CallOptions, Clock, DatabaseIdentity, DatabaseMark, DeleteOutcome, Logger } from "../ports/index.ts";
import type { NamedStore } from "./topology.ts";

/** What {@link openMarkedDeletes} takes. */
export interface MarkedDeletesOptions extends CallOptions {
  readonly metadata: Pick<DatabaseIdentity, "databaseMark" | "advanceDatabase">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Deletes in the name of one metadata database, so that no store loses chunks to a lost, emptied or restored one. */
export interface MarkedDeletes {
  /** @throws {AshlarError} METADATA_CORRUPT if the store serves another database, or a newer state of this one; it is counted once. */
  delete(target: NamedStore, chunkIds: readonly Digest[], unclaimedForMs: number): Promise<readonly DeleteOutcome[]>;
  /** Shows every store the mark, so that it knows how far the database is though nothing is to be deleted there. */
  showTo(targets: readonly NamedStore[]): Promise<void>;
  /** Ends the round: with nobody refusing, the database is one step further. @returns how many stores refused. */
  finish(): Promise<number>;
}

/** No bytes are known whose SHA-256 this is: a delete of it shows the mark and does nothing else. */
const NO_CHUNK = digestFromBytes(new Uint8Array(DIGEST_BYTES));

export async function openMarkedDeletes(options: MarkedDeletesOptions): Promise<MarkedDeletes> {
  const { metadata, clock, logger, signal } = options;
  const readMark = async (): Promise<() => DatabaseMark> => {
    const askedAtMs = clock.monotonicMs();
    const mark = await metadata.databaseMark({ signal });
    return () => ({ ...mark, ageMs: Math.ceil(mark.ageMs + clock.monotonicMs() - askedAtMs) });
  };
  let mark = await readMark();
  let allReached = true;
  const refusing = new Set<string>();

  const deleteOnce = (
    { store }: NamedStore,
    chunkIds: readonly Digest[],
    unclaimedForMs: number,
  ): Promise<readonly DeleteOutcome[]> => store.deleteChunks(chunkIds, { unclaimedForMs, database: mark(), signal });
  const deleteMarked: MarkedDeletes["delete"] = async (target, chunkIds, unclaimedForMs) => {
    try {
      return await deleteOnce(target, chunkIds, unclaimedForMs);
    } catch (error) {
      if (!AshlarError.is(error, "METADATA_CORRUPT")) throw error;
      // Another gateway may have gone a step further meanwhile.
      const { epoch } = mark();
      mark = await readMark();
      if (mark().epoch > epoch) return await deleteOnce(target, chunkIds, unclaimedForMs);
      if (!refusing.has(target.serverId)) logger.error({ err: error, serverId: target.serverId }, error.message);
      refusing.add(target.serverId);
      throw error;
    }
  };
  return {
    delete: deleteMarked,
    async showTo(targets) {
      for (const target of targets) {
        await deleteMarked(target, [NO_CHUNK], 0).catch((error: unknown) => {
          if (signal?.aborted) throw error;
          allReached = false;
        });
      }
    },
    async finish() {
      const { epoch, takesOver } = mark();
      if (refusing.size === 0 && (allReached || !takesOver)) await metadata.advanceDatabase(epoch, { signal });
      return refusing.size;
    },
  };
}
