import type { BigIntStats } from "node:fs";
import type { DeleteOutcome } from "@ashlar/sdk/ports";
import { payloadBytesOf } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { isAbsent } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { restoreChunk } from "./leftover-sweep.ts";
import { lookAt, modifiedAtMs } from "./look-at.ts";

const NOTHING = Object.freeze({ chunkCount: 0, bytesUsed: 0 });

interface Step {
  readonly outcome: DeleteOutcome;
  readonly chunkCount: number;
  readonly bytesUsed: number;
}

/** Which chunks go. */
export interface DeleteRule {
  readonly unclaimedForMs: number;
  /** Chunks last claimed before this wall time stay in any case, in ms; undefined: no such bound. */
  readonly keptBeforeMs: number | undefined;
}

/**
 * Deletes a chunk if it has been unclaimed long enough.
 *
 * Within one process the chunk's lock keeps claims, writes and deletes apart. Another process may have the folder open too, and there is no
 * lock between them, so the order of steps has to do:
 *
 *   deleter  1 stat(path): old enough?   2 rename(path → aside)   3 stat(aside): still old?   4 unlink(aside), or put it back
 *   claimer  a open(path)                b utimes(its inode)      c stat(path): still that inode? then claimed, else absent
 *
 * A claim that succeeds has seen the inode under its path at c. If the deleter's 2 came after c, then b came before 3, so 3 sees the new
 * time and the file goes back. If 2 came before c, the path was empty (or another inode) at c and the claimer was told "absent", unless the
 * file was put back in between, and then 3 had seen a new time. So nobody is told "claimed" about a file that is then unlinked. A claimer
 * that is told "absent" writes the chunk anew under the same path; putting back uses link(), which does not replace it.
 *
 * While a fresh file is set aside (between 2 and 4, microseconds) a reader in another process looks for it there, see find-chunk in
 * fs-chunk-store.ts. If the deleter dies between 2 and 4, the sweep puts the file back: nobody was told that it is gone.
 *
 * The unlink is not fsynced. A deleted chunk that a power loss brings back is an orphan, which the orphan sweep deletes again.
 */
async function deleteUnlocked(parts: FsParts, place: ChunkPlace, rule: DeleteRule): Promise<Step> {
  const { fileSystem, claimClock } = parts;
  const { unclaimedForMs, keptBeforeMs = Number.NEGATIVE_INFINITY } = rule;
  let before: BigIntStats | undefined;
  try {
    before = await lookAt(parts, place.path);
  } catch (error) {
    // It stays, and so does its row; the other chunks of the batch must go all the same.
    parts.badEntries.passOver(place.path, error);
    return { outcome: "claimed", ...NOTHING };
  }
  // A chunk is a file: what else lies there is found by the walks, and set aside by the next put or read.
  if (!before?.isFile()) return { outcome: "absent", ...NOTHING };
  try {
    // The time as it stands on the disk: after a power loss it may be too old, which keeps the chunk.
    if (modifiedAtMs(before) < keptBeforeMs) return { outcome: "claimed", ...NOTHING };
    const gone = { chunkCount: -1, bytesUsed: -(payloadBytesOf(Number(before.size)) ?? 0) };
    if (unclaimedForMs === 0) {
      await fileSystem.unlink(place.path);
      return { outcome: "deleted", ...gone };
    }
    if (claimClock.unclaimedForMs(modifiedAtMs(before)) < unclaimedForMs) return { outcome: "claimed", ...NOTHING };
    const aside = parts.names.deletingPath(place);
    await fileSystem.rename(place.path, aside);
    const after = await fileSystem.lstat(aside, { bigint: true });
    if (claimClock.unclaimedForMs(modifiedAtMs(after)) < unclaimedForMs) {
      await restoreChunk(fileSystem, aside, place.path);
      return { outcome: "claimed", ...NOTHING };
    }
    await fileSystem.unlink(aside);
    return { outcome: "deleted", ...gone };
  } catch (error) {
    if (isAbsent(error)) return { outcome: "absent", ...NOTHING };
    throw error;
  }
}

/** Deletes one chunk under its lock; see {@link deleteUnlocked} for the races with other processes. */
export async function deleteChunk(parts: FsParts, place: ChunkPlace, rule: DeleteRule): Promise<DeleteOutcome> {
  return await parts.locks.run(place.id, async () => {
    const step = await parts.usage.change(place.id, () => deleteUnlocked(parts, place, rule));
    if (step.outcome !== "claimed") parts.synced.delete(place.id);
    return step.outcome;
  });
}
