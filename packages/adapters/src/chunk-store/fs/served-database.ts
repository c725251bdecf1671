import type { DatabaseMark } from "@ashlar/sdk/ports";
import { meetDatabase } from "@ashlar/sdk/ports";
import { readSeenDatabase, writeSeenDatabase } from "../../internal/seen-database.ts";
import type { StoreFolder } from "./store-files.ts";

/** Remembers in `database.json` which metadata database the chunks of a folder are kept for. */
export class ServedDatabase {
  readonly #folder: StoreFolder;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: StoreFolder) {
    this.#folder = folder;
  }

  /**
   * Lets a database ask for deletes, or not. The file is read each time: another process may have the folder open.
   *
   * @returns the wall time before which claims keep their chunks from this database, in ms.
   * @throws {AshlarError} METADATA_CORRUPT, STORE_INCOMPATIBLE: nothing may be deleted.
   */
  meet(mark: DatabaseMark, nowMs: number): Promise<number> {
    const met = this.#last.then(
      () => this.#meet(mark, nowMs),
      () => this.#meet(mark, nowMs),
    );
    this.#last = met.catch(() => {});
    return met;
  }

  async #meet(mark: DatabaseMark, nowMs: number): Promise<number> {
    const { fileSystem, root, ownerToken } = this.#folder;
    const known = await readSeenDatabase(fileSystem, root);
    const seen = meetDatabase(known, mark, nowMs);
    // Durable before the first delete that rests on it.
    if (seen !== known) await writeSeenDatabase(fileSystem, root, { seen, unique: ownerToken });
    return seen.keptBeforeMs ?? Number.NEGATIVE_INFINITY;
  }
}
