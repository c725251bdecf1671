import { join } from "node:path";
import type { Clock, Logger } from "@ashlar/sdk/ports";
import type { LeafEntry } from "./chunk-names.ts";
import type { FileSystem } from "./file-system.ts";
import { removeIfPresent } from "./folder-sync.ts";
import { errnoOf, isAbsent } from "./fs-error.ts";
import type { Owner } from "./owner.ts";

/** A leftover whose owner cannot be asked is left alone this long; no write touches its temporary file less often. */
const UNKNOWN_OWNER_GRACE_MS = 3600 * 1000;

/** Whether making a hard link failed because there are none here (exFAT, some network file systems). */
export function hasNoLinks(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "EPERM" || errno === "ENOTSUP" || errno === "EOPNOTSUPP";
}

/**
 * Puts a file back under `path` unless something is there: `link` does not replace, so a chunk that was written meanwhile stays, and with it
 * its newer claim.
 */
export async function restoreChunk(fileSystem: FileSystem, aside: string, path: string): Promise<void> {
  try {
    await fileSystem.link(aside, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return;
    if (errno !== "EEXIST") {
      // The bytes are the same, whichever wins.
      if (!hasNoLinks(error)) throw error;
      return await fileSystem.rename(aside, path);
    }
  }
  await removeIfPresent(fileSystem, aside);
}

/**
 * Clears what interrupted calls left: temporary files, in leaf folders too where earlier releases wrote them, and chunks set aside.
 *
 * A temporary file goes; a chunk that was set aside for deletion comes back, because its deletion was never reported and it may have been
 * claimed. Both only if their owner is dead, or unknown and the file untouched for an hour: other processes may have the folder open. An
 * owner that was wrongly held for dead loses one upload, which fails with a typed error, and nothing else.
 */
export class LeftoverSweep {
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #owner: Owner;
  readonly #logger: Logger;

  constructor(parts: { fileSystem: FileSystem; clock: Clock; owner: Owner; logger: Logger }) {
    this.#fileSystem = parts.fileSystem;
    this.#clock = parts.clock;
    this.#owner = parts.owner;
    this.#logger = parts.logger;
  }

  /** Sweeps one entry of a leaf folder or of the one for temporary files; returns the id of a chunk that came back. */
  async sweep(folder: string, name: string, entry: LeafEntry): Promise<string | undefined> {
    if (entry.kind !== "temp" && entry.kind !== "deleting") return undefined;
    const path = join(folder, name);
    if (!(await this.#isAbandoned(path, entry.owner))) return undefined;
    this.#logger.warn({ folder, leftover: name }, "sweeping what an interrupted call left behind");
    if (entry.kind === "temp") {
      await removeIfPresent(this.#fileSystem, path);
      return undefined;
    }
    await restoreChunk(this.#fileSystem, path, join(folder, entry.id));
    return entry.id;
  }

  async #isAbandoned(path: string, ownerToken: string): Promise<boolean> {
    const state = this.#owner.stateOf(ownerToken);
    if (state !== "unknown") return state === "dead";
    try {
      // The change time: renames and claims move it too, and nobody can set it.
      const { ctimeMs } = await this.#fileSystem.stat(path);
      return this.#clock.nowMs() - ctimeMs > UNKNOWN_OWNER_GRACE_MS;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }
}
