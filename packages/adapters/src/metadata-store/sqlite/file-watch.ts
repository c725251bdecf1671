import { statSync } from "node:fs";
import { AshlarError } from "@ashlar/sdk/errors";

/** The files of an open database by device and inode: a path may later name another file, or none, and what is written then is lost. */
export class FileWatch {
  readonly #paths: readonly string[];
  #known: string | undefined;

  constructor(path: string) {
    this.#paths = [path, `${path}-wal`];
  }

  /** From here on the files must stay the same. */
  remember(): void {
    this.#known = this.#look();
  }

  /** @throws {AshlarError} METADATA_UNAVAILABLE if a file was deleted, moved or exchanged. */
  assertThere(): void {
    if (this.#known === undefined || this.#look() === this.#known) return;
    const [path] = this.#paths;
    throw new AshlarError(
      "METADATA_UNAVAILABLE",
      `the metadata file was deleted, moved or exchanged while it was open: ${path}. Put it back and open the store anew`,
      { details: { path: path ?? "" } },
    );
  }

  #look(): string {
    return this.#paths
      .map((path) => {
        const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
        return stats === undefined ? "" : `${stats.dev}:${stats.ino}`;
      })
      .join(" ");
  }
}
