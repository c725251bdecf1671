import { dirname, relative, sep } from "node:path";
import type { Logger } from "@ashlar/sdk/ports";
import { makeFolders, syncFolder } from "../../internal/durable-file.ts";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import type { ChunkNames } from "./chunk-names.ts";
import { errnoOf, type FileSystem, hasNoLinks, isAbsent, kindOf, lookAt } from "./file-system.ts";
import type { AssertHome } from "./store-health.ts";

/** What {@link LeafFolders} needs. */
interface LeafFoldersOptions {
  readonly fileSystem: FileSystem;
  readonly folderSync: FolderSync;
  readonly names: ChunkNames;
  readonly logger: Logger;
  readonly assertHome: AssertHome;
  /** Called when a folder could not be synced. */
  readonly onFailure: (error: unknown) => void;
}

/** Makes the leaf folders that chunks lie in, durably where asked. */
export class LeafFolders {
  readonly #options: LeafFoldersOptions;
  readonly #present = new Set<string>();
  /** Folders whose own entry in the folder above is on the disk. */
  readonly #durable = new Set<string>();

  constructor(options: LeafFoldersOptions) {
    this.#options = options;
  }

  /** @throws what `assertHome` of the options throws: the store's own folder is never made again. */
  async ensure(leaf: string): Promise<void> {
    if (this.#present.has(leaf)) return;
    await this.#options.assertHome();
    const make = (): Promise<unknown> => makeFolders(this.#options.fileSystem, leaf, PRIVATE_FOLDER_MODE);
    await make().catch(async (error: unknown) => {
      if (!(await clearWay(this.#options, leaf))) throw error;
      this.forget(leaf);
      await make();
    });
    this.#present.add(leaf);
  }

  /** Forgets that a folder is there, and which folders are durable, because the folder is gone. @returns whether it was thought to be there. */
  forget(leaf: string): boolean {
    this.#durable.clear();
    return this.#present.delete(leaf);
  }

  /**
   * Makes the entries of `leaf` durable. Once per run it also makes the leaf itself durable in the folders above, up to `chunks` in the store's own
   * folder: another process may have made the leaf without reaching its own fsync.
   *
   * A folder that cannot be synced ends the store's writes: nobody knows whose entries were in the failed fsync, and the next fsync would succeed
   * without them.
   */
  async sync(leaf: string): Promise<void> {
    const { folderSync, names, onFailure } = this.#options;
    const folders = [leaf];
    const made: string[] = [];
    for (let folder = leaf; folder !== names.root && !this.#durable.has(folder); folder = dirname(folder)) {
      made.push(folder);
      folders.push(dirname(folder));
    }
    try {
      await Promise.all(folders.map((folder) => folderSync.sync(folder)));
    } catch (error) {
      onFailure(error);
      throw error;
    }
    for (const folder of made) this.#durable.add(folder);
  }
}

interface FolderQueue {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/**
 * Fsyncs folders; all waiting callers share one fsync.
 *
 * A caller that comes while an fsync runs cannot use that one (its rename may be too late for it). It shares the next fsync with all callers that
 * came meanwhile.
 */
export class FolderSync {
  readonly #fileSystem: FileSystem;
  readonly #queues = new Map<string, FolderQueue>();

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  /** Resolves once every entry that `folder` had at the time of the call is durable. */
  sync(folder: string): Promise<void> {
    const queue = this.#queues.get(folder);
    if (queue === undefined) {
      const created: FolderQueue = { running: syncFolder(this.#fileSystem, folder), next: undefined };
      this.#queues.set(folder, created);
      this.#watch(folder, created);
      return created.running;
    }
    // If the running fsync fails, so does this call: its entries may have been in that one, and the next fsync would say nothing about them.
    queue.next ??= queue.running.then(() => syncFolder(this.#fileSystem, folder));
    return queue.next;
  }

  #watch(folder: string, queue: FolderQueue): void {
    const advance = (): void => {
      if (queue.next === undefined) {
        this.#queues.delete(folder);
        return;
      }
      queue.running = queue.next;
      queue.next = undefined;
      this.#watch(folder, queue);
    };
    queue.running.then(advance, advance);
  }
}

type ClearParts = Pick<LeafFoldersOptions, "fileSystem" | "names" | "logger">;

/**
 * Makes way for a folder of the store: an entry that lies there and is no folder goes to quarantine. A link to a folder counts as a folder. The
 * folder `chunks` is never touched: a link there that leads nowhere is a disk that is not mounted.
 *
 * @param folder below `chunks`.
 * @returns whether anything was in the way.
 */
async function clearWay(parts: ClearParts, folder: string): Promise<boolean> {
  const { chunksFolder } = parts.names;
  const way: string[] = [];
  for (let each = folder; each !== chunksFolder; each = dirname(each)) way.unshift(each);
  for (const each of way) {
    const found = await lookAt(parts, each);
    if (found === undefined) return false;
    if (found.isDirectory() || (found.isSymbolicLink() && (await leadsToFolder(parts, each)))) continue;
    const aside = parts.names.quarantinePath(relative(chunksFolder, each).replaceAll(sep, ""));
    await setAside(parts, each, aside);
    const problem = `${kindOf(found)} lay where a folder belongs`;
    parts.logger.error({ entry: each, problem, quarantine: aside }, "quarantined what was in the way of a folder");
    return true;
  }
  return false;
}

async function leadsToFolder({ fileSystem }: ClearParts, link: string): Promise<boolean> {
  try {
    return (await fileSystem.stat(link)).isDirectory();
  } catch (error) {
    if (isAbsent(error) || errnoOf(error) === "ELOOP") return false;
    throw error;
  }
}

/**
 * Moves the entry with `link` and `unlink`, which refuse folders: another process may have cleared the way and made the folder meanwhile, and its
 * chunks must stay. If a call fails, the caller tries to make the folder anyway, and gets the error of that.
 */
async function setAside({ fileSystem, names }: ClearParts, path: string, aside: string): Promise<void> {
  await fileSystem.mkdir(names.quarantineFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  try {
    await fileSystem.link(path, aside);
    await fileSystem.unlink(path);
  } catch (error) {
    if (hasNoLinks(error) && !(await fileSystem.lstat(path)).isDirectory()) await fileSystem.rename(path, aside);
  }
}
