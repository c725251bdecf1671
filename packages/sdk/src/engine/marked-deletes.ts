import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, digestFromBytes } from "../hash/digest.ts";
import type { CallOptions, Clock, DatabaseIdentity, DatabaseMark, DeleteOutcome, Logger } from "../ports/index.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** What {@link openMarkedDeletes} takes. */
export interface MarkedDeletesOptions extends CallOptions {
  readonly metadata: Pick<DatabaseIdentity, "databaseMark" | "advanceDatabase">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Deletes for one metadata database, so that no store loses chunks because of a lost, emptied or restored database. */
export interface MarkedDeletes {
  /** @throws {AshlarError} METADATA_CORRUPT if the store serves another database, or a newer state of this one; it is counted once. */
  delete(target: NamedStore, chunkIds: readonly Digest[], unclaimedForMs: number): Promise<readonly DeleteOutcome[]>;
  /**
   * Begins a round, before the first delete: shows every store the mark. If most stores take it (all, if the database takes over) and none refuses,
   * takes the database one step further and shows the new mark. From then on every earlier copy of the database is older than what the stores have
   * seen.
   */
  begin(targets: readonly NamedStore[]): Promise<void>;
  /** How many stores refused. */
  readonly refusingCount: number;
}

/** No known bytes have this SHA-256: a delete of it shows the mark and does nothing else. */
const NO_CHUNK = digestFromBytes(new Uint8Array(DIGEST_BYTES));

export async function openMarkedDeletes(options: MarkedDeletesOptions): Promise<MarkedDeletes> {
  const { metadata, clock, logger, signal } = options;
  const readMark = async (): Promise<() => DatabaseMark> => {
    const askedAtMs = clock.monotonicMs();
    const mark = await metadata.databaseMark({ signal });
    return () => ({ ...mark, ageMs: Math.ceil(mark.ageMs + clock.monotonicMs() - askedAtMs) });
  };
  let mark = await readMark();
  const refusing = new Set<string>();
  /** Set once a store has proved that the database is an older state: then no store deletes, not even one that has not seen the newer state. */
  let older: AshlarError | undefined;

  const deleteOnce = (
    { store }: NamedStore,
    chunkIds: readonly Digest[],
    unclaimedForMs: number,
  ): Promise<readonly DeleteOutcome[]> => store.deleteChunks(chunkIds, { unclaimedForMs, database: mark(), signal });
  const deleteMarked: MarkedDeletes["delete"] = async (target, chunkIds, unclaimedForMs) => {
    if (older !== undefined && chunkIds[0] !== NO_CHUNK) throw older;
    try {
      return await deleteOnce(target, chunkIds, unclaimedForMs);
    } catch (error) {
      if (!AshlarError.is(error, "METADATA_CORRUPT")) throw error;
      // Another gateway may have gone a step further meanwhile.
      const { epoch } = mark();
      mark = await readMark();
      if (mark().epoch > epoch) return await deleteOnce(target, chunkIds, unclaimedForMs);
      if (!refusing.has(target.nodeId)) logger.error({ err: error, nodeId: target.nodeId }, error.message);
      refusing.add(target.nodeId);
      if (error.details.databaseId === error.details.expectedDatabaseId) older = error;
      throw error;
    }
  };
  /** Shows every store the mark, so that it knows how far the database is, even if it has nothing to delete. @returns how many took it. */
  const showTo = async (targets: readonly NamedStore[]): Promise<number> => {
    let reachedCount = 0;
    for (const target of targets) {
      await deleteMarked(target, [NO_CHUNK], 0).then(
        () => reachedCount++,
        (error: unknown) => {
          if (signal?.aborted) throw error;
        },
      );
    }
    return reachedCount;
  };
  return {
    delete: deleteMarked,
    async begin(targets) {
      const reachedCount = await showTo(targets);
      const { epoch, takesOver } = mark();
      // Two majorities have a store in common: a restored database cannot go a step further while the stores that would refuse it are away.
      const isEnough = takesOver ? reachedCount === targets.length : reachedCount > targets.length / 2;
      if (refusing.size > 0 || !isEnough) return;
      await metadata.advanceDatabase(epoch, { signal });
      mark = await readMark();
      await showTo(targets);
    },
    get refusingCount() {
      return refusing.size;
    },
  };
}

/** What {@link takeDatabaseStep} takes. */
export interface DatabaseStepOptions extends MarkedDeletesOptions {
  readonly topology: Pick<Topology, "allStores">;
}

/**
 * Takes a database one step further and tells every store that answers, as each collection does when it begins: a copy that was made before is
 * noticed if it is put back. Servers with maintenance do so when they start and when they end.
 */
export async function takeDatabaseStep(options: DatabaseStepOptions): Promise<void> {
  const deletes = await openMarkedDeletes(options);
  await deletes.begin(await options.topology.allStores({ signal: options.signal }));
}
