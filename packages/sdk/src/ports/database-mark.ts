import { AshlarError } from "../errors/index.ts";

/**
 * Which metadata database speaks, and where in its life it is.
 *
 * Chunk stores keep the mark of the database that they serve. To a database that was lost and made anew, emptied, or restored to an older day every
 * chunk that it does not know looks like garbage: a store deletes nothing for a database with another id, or with a lower epoch than it has seen.
 *
 * That a restored database is noticed rests on three rules. The epoch rises in the database, durably, *before* a store is told of it, so that a
 * database is never older than what stores saw of itself. Every copy of it has the epoch of its moment, so that one step after the copy makes it
 * older than what the stores saw. And a database is shown as it is before it takes a step, so that a restored one is refused first and cannot count
 * itself up. Steps are taken when a collection begins, before anything is deleted; when a server starts and when it ends; and, where database
 * and chunks share a folder, before the first write that names chunks, once a minute among them, and at the close. What is not noticed: a copy
 * of a *running* database that is put back before any of these came, which takes a process that was killed.
 */
export interface DatabaseMark {
  /** 32 characters of lower-case hex, drawn at random when the database was made. */
  readonly databaseId: string;
  /** Rises by one with each step; never falls, but in a database that was restored. */
  readonly epoch: number;
  /**
   * Since the database was made, or last accepted by an operator, in ms on its own clock. A store that meets a database for the first time keeps
   * for good what was claimed before that: the database cannot know it.
   */
  readonly ageMs: number;
  /** An operator has accepted this database in place of the one that the stores served before. */
  readonly takesOver: boolean;
}

/** What a store remembers of the database that it serves. */
export interface SeenDatabase {
  readonly databaseId: string;
  readonly epoch: number;
  /** Chunks last claimed before this wall time of the store are not deleted for the database; undefined: no such bound. */
  readonly keptBeforeMs?: number | undefined;
}

/** Both clocks tell whole milliseconds: what was claimed right after the database was made must not seem older than it. */
const ROUNDING_MS = 1;

/**
 * What a store remembers once `mark` has asked it for a delete.
 *
 * @param seen what it remembers now; undefined at the first time.
 * @param nowMs wall time of the store.
 * @returns `seen` itself if nothing changes.
 * @throws {AshlarError} METADATA_CORRUPT for another database, or an older state of the same; INVALID_ARGUMENT for a mark that is none.
 */
export function meetDatabase(seen: SeenDatabase | undefined, mark: DatabaseMark, nowMs: number): SeenDatabase {
  const { databaseId, epoch } = mark;
  if (!/^[0-9a-f]{32}$/.test(databaseId) || !(epoch >= 0) || !(mark.ageMs >= 0)) {
    throw new AshlarError("INVALID_ARGUMENT", "a database has an id of 32 characters of hex, an epoch and an age");
  }
  const isSame = seen?.databaseId === databaseId;
  if (seen !== undefined && isSame && epoch === seen.epoch) return seen;
  if (seen !== undefined && isSame && epoch > seen.epoch && !mark.takesOver) return { ...seen, epoch };
  if (seen === undefined || mark.takesOver) {
    return { databaseId, epoch, keptBeforeMs: Math.floor(nowMs - mark.ageMs) - ROUNDING_MS };
  }
  const problem = isSame
    ? `the metadata database is an older state (epoch ${epoch}) than the one that these chunks were last kept for (epoch ${seen.epoch})`
    : "the metadata database is another one than these chunks were kept for: it was lost, emptied or exchanged";
  throw new AshlarError(
    "METADATA_CORRUPT",
    `${problem}; nothing is deleted. Restore the right database, or accept this one with: ashlar fsck --accept-database`,
    {
      details: {
        databaseId,
        epoch: String(epoch),
        expectedDatabaseId: seen.databaseId,
        expectedEpoch: String(seen.epoch),
      },
    },
  );
}
