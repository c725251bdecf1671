import { AshlarError } from "../errors/index.ts";

/**
 * Which metadata database deletes chunks, and which state of it.
 *
 * Chunk stores keep the mark of the database that they serve. A database that was lost and created again, emptied, or restored to an older state
 * takes every chunk that it does not know for garbage. So a store deletes nothing for a database with another id, or with a lower epoch than it
 * has seen.
 *
 * Three rules make a restored database noticeable. First, the epoch rises durably in the database *before* a store sees it, so a database is never
 * older than what stores have seen of it. Second, a copy keeps the epoch of its moment: after one more step of the database, the copy is older than
 * what the stores have seen. Third, a database shows its mark before it takes a step, so a restored one is refused before it can raise its epoch.
 * A step is taken when a collection begins, before anything is deleted; when a server starts and when it stops; and, where database and chunks share
 * a folder, before the first write that names chunks, then once a minute while there are such writes, and at `close()`. Not noticed: a copy of a
 * *running* database that is put back before the next step. That can happen only if its process was killed.
 */
export interface DatabaseMark {
  /** 32 characters of lower-case hex, drawn at random when the database was created. */
  readonly databaseId: string;
  /** Rises by one with each step, and by more when an operator accepts the database; falls only if the database is restored. */
  readonly epoch: number;
  /**
   * Time since the database was created or last accepted by an operator, in ms on its own clock. A store that sees a database for the first time
   * keeps for good the chunks that were claimed before that moment: the database cannot know them.
   */
  readonly ageMs: number;
  /** An operator has accepted this database in place of the one that the stores served before. */
  readonly takesOver: boolean;
}

/** What a store remembers of the database that it serves. */
export interface SeenDatabase {
  readonly databaseId: string;
  readonly epoch: number;
  /** Chunks last claimed before this moment, in ms of the store's clock, are not deleted for the database; undefined: no such bound. */
  readonly keptBeforeMs?: number | undefined;
}

/** Both clocks have whole milliseconds: a chunk claimed right after the database was created must not seem older than the database. */
const ROUNDING_MS = 1;

/**
 * What a store remembers after a delete with `mark`.
 *
 * @param seen what it remembers now; undefined the first time.
 * @param nowMs the store's clock, in ms.
 * @returns `seen` itself if nothing changes.
 * @throws {AshlarError} METADATA_CORRUPT for another database, or an older state of the same; INVALID_ARGUMENT for a malformed mark.
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
