import { dirname } from "node:path";
import { makeFolders, syncFolder } from "../../internal/durable-file.ts";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import type { FileSystem } from "./file-system.ts";
import { isAbsent } from "./fs-error.ts";

interface FolderQueue {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/**
 * Fsyncs folders, one fsync for everyone who waits.
 *
 * A caller who comes while an fsync runs cannot use it (its rename may be too late for it) and shares the one after it with all others who
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
      const created: FolderQueue = { running: this.#fsync(folder), next: undefined };
      this.#queues.set(folder, created);
      this.#watch(folder, created);
      return created.running;
    }
    // If the one that runs fails, so does this: the entries may have been in it, and the next fsync would say nothing about them.
    queue.next ??= queue.running.then(() => this.#fsync(folder));
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

  async #fsync(folder: string): Promise<void> {
    await syncFolder(this.#fileSystem, folder);
  }
}

/** What {@link LeafFolders} needs. */
export interface LeafFoldersOptions {
  readonly fileSystem: FileSystem;
  readonly folderSync: FolderSync;
  /** Folder of the store, in which `chunks` lies. */
  readonly root: string;
  /** Throws if the store's folder is not there any more. */
  readonly assertHome: () => Promise<void>;
  /** Told when a folder could not be synced. */
  readonly onFailure: (error: unknown) => void;
  /** Sets aside what is no folder on the way to one; says whether there was anything. */
  readonly clearWay: (folder: string) => Promise<boolean>;
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
      if (!(await this.#options.clearWay(leaf))) throw error;
      this.forget(leaf);
      await make();
    });
    this.#present.add(leaf);
  }

  /** Forgets a folder that turned out to be gone, and those above it; says whether it was thought to be there. */
  forget(leaf: string): boolean {
    this.#durable.clear();
    return this.#present.delete(leaf);
  }

  /**
   * Makes the entries of `leaf` durable, and once per run the leaf itself in the folders above, up to `chunks` in the store's own folder: another
   * process may have made it and not come to its own fsync.
   *
   * A folder that cannot be synced ends the store's writes: whose entries were in the fsync that failed, nobody knows, and the next one would succeed
   * without them.
   */
  async sync(leaf: string): Promise<void> {
    const { folderSync, root, onFailure } = this.#options;
    const folders = [leaf];
    const made: string[] = [];
    for (let folder = leaf; folder !== root && !this.#durable.has(folder); folder = dirname(folder)) {
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

/** Removes a file that may be gone already. */
export async function removeIfPresent(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}
