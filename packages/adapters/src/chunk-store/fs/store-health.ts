import type { StatsFs } from "node:fs";
import { relative } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { BadEntry, Logger } from "@ashlar/sdk/ports";
import type { ChunkNames } from "./chunk-names.ts";
import { errnoOf, type FileSystem, identityOf, isAbsent, isShortage } from "./file-system.ts";

/** Failures to sync that say nothing about the disk: a folder that is gone, no room, no handles. */
const HARMLESS: ReadonlySet<string> = new Set(["ENOENT", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

/**
 * Whether the store still takes writes.
 *
 * After a failed sync the kernel may mark the pages clean. Then the next sync of the same file or folder succeeds although they never reached the
 * disk. Data that can be written again is written again. Where that is not possible, the store stops: its acknowledgements could not be trusted.
 */
export class StoreHealth {
  readonly #logger: Logger;
  #failure: unknown;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param what could not be done, for the log. */
  stop(error: unknown, what: string): void {
    // That write fails, and the next one says so again.
    if (HARMLESS.has(errnoOf(error) ?? "")) return;
    if (this.#failure === undefined) this.#logger.error({ error }, `${what}; the chunk store takes no more writes`);
    this.#failure ??= error;
  }

  /** @throws {AshlarError} NODE_UNAVAILABLE once the store has stopped. */
  assertWritable(): void {
    if (this.#failure === undefined) return;
    const message =
      "an earlier sync of the chunk store failed; it takes no more writes until it is opened anew: see whether the disk is failing first";
    throw new AshlarError("NODE_UNAVAILABLE", message, { cause: this.#failure });
  }
}

/** Throws NODE_UNAVAILABLE if the folder of an open store was deleted, moved or exchanged since the opening. */
export type AssertHome = () => Promise<void>;

/** Remembers which folder a store was opened in. The path may later name another folder, or none; what is written there then belongs to no store. */
export async function watchHome(fileSystem: FileSystem, root: string): Promise<AssertHome> {
  const look = async (): Promise<string | undefined> => {
    try {
      return identityOf(await fileSystem.stat(root, { bigint: true }));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  };
  const home = await look();
  return async () => {
    const found = await look();
    if (found !== undefined && found === home) return;
    throw new AshlarError(
      "NODE_UNAVAILABLE",
      `the folder of the chunk store was deleted, moved or exchanged while it was open: ${root}. Put it back and open the store anew`,
      { details: { path: root } },
    );
  };
}

/** How many chunk files were put aside since the opening, because they were damaged. */
export class DamagedChunks {
  count: number = 0;
}

/** What the store leaves free for others on its disk. */
export interface DiskReserve {
  readonly fileSystem: FileSystem;
  readonly reserveBytes: number;
}

/**
 * Refuses a chunk that would use up the reserve. Deletes need no room and are never refused.
 *
 * @param sizeBytes bytes that are still to be written.
 * @throws {AshlarError} DISK_FULL
 */
export async function assertRoom(
  parts: DiskReserve & { readonly names: ChunkNames },
  sizeBytes: number,
): Promise<void> {
  const { reserveBytes } = parts;
  if (reserveBytes === 0) return;
  const { bavail, bsize } = await diskOf(parts);
  if (bavail * bsize - sizeBytes >= reserveBytes) return;
  throw new AshlarError(
    "DISK_FULL",
    "the disk of the chunk store is full up to its reserve; the chunk is not kept: make room on it, then write again",
  );
}

/** The disk that chunks are written to. Their folder may be a mount of its own, and may not exist before the first chunk. */
export async function diskOf(parts: { readonly fileSystem: FileSystem; readonly names: ChunkNames }): Promise<StatsFs> {
  const { fileSystem, names } = parts;
  try {
    return await fileSystem.statfs(names.chunksFolder);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return await fileSystem.statfs(names.root);
  }
}

/** Entries remembered by name: enough to see what has happened to a disk, and some 100 KB. */
const NAMED_MAX = 1000;

/**
 * Entries of a store that walks over its folders found and had to pass over: a file that the disk cannot show, something other than a file under a
 * chunk's name, something other than a folder above. One such entry must not hide all others.
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
   * @param why what the entry is, or the error of looking at it.
   * @throws `why` if it says nothing about the entry: the process has no file handles or memory left, and the next look may succeed.
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
