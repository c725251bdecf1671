import { relative } from "node:path";
import type { BadEntry, Logger } from "@ashlar/sdk/ports";
import { errnoOf, isShortage } from "./fs-error.ts";

/** Entries remembered by name: enough to see what has happened to a disk, and some 100 KB. */
const NAMED_MAX = 1000;

/**
 * What walks over the folders found in a store and had to pass over: a file that the disk cannot show, something else than a file under a chunk's
 * name, something else than a folder above. One such entry must not hide all others.
 */
export class BadEntries {
  readonly #found = new Map<string, BadEntry>();
  readonly #root: string;
  readonly #logger: Logger;

  constructor(parts: { readonly root: string; readonly logger: Logger }) {
    this.#root = parts.root;
    this.#logger = parts.logger;
  }

  /** All that were found since the opening, in the order of finding. */
  list(): readonly BadEntry[] {
    return [...this.#found.values()];
  }

  /**
   * Passes over an entry, and logs it once.
   *
   * @param why what it is, or what the look at it failed with.
   * @throws `why` if it says nothing of the entry: the process has no files or memory left, and the next look may succeed.
   */
  passOver(path: string, why: unknown): void {
    if (typeof why !== "string" && (errnoOf(why) === undefined || isShortage(why))) throw why;
    const name = relative(this.#root, path);
    if (this.#found.has(name) || this.#found.size >= NAMED_MAX) return;
    const problem = typeof why === "string" ? why : `it cannot be looked at: ${errnoOf(why)}`;
    this.#found.set(name, { path: name, problem });
    this.#logger.error(
      { entry: name, problem, error: why instanceof Error ? why : undefined },
      "passed over a bad entry",
    );
  }
}
