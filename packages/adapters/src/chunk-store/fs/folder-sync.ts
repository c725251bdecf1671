import { dirname } from "node:path";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import type { FileSystem } from "./file-system.ts";
import { errnoOf, isAbsent } from "./fs-error.ts";

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
    queue.next ??= queue.running
      .then(
        () => {},
        () => {},
      )
      .then(() => this.#fsync(folder));
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
    const handle = await this.#fileSystem.open(folder, "r");
    try {
      await handle.sync();
    } catch (error) {
      // Windows, and some network file systems, cannot fsync a folder; their renames are as durable as they get.
      if (errnoOf(error) !== "EPERM" && errnoOf(error) !== "EINVAL") throw error;
    } finally {
      await handle.close();
    }
  }
}

/** Makes the leaf folders that chunks lie in, durably where asked. */
export class LeafFolders {
  readonly #fileSystem: FileSystem;
  readonly #folderSync: FolderSync;
  readonly #present = new Set<string>();
  readonly #durable = new Set<string>();

  constructor(fileSystem: FileSystem, folderSync: FolderSync) {
    this.#fileSystem = fileSystem;
    this.#folderSync = folderSync;
  }

  async ensure(leaf: string): Promise<void> {
    if (this.#present.has(leaf)) return;
    await this.#fileSystem.mkdir(leaf, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    this.#present.add(leaf);
  }

  /** Forgets a folder that turned out to be gone; says whether it was thought to be there. */
  forget(leaf: string): boolean {
    this.#durable.delete(leaf);
    return this.#present.delete(leaf);
  }

  /**
   * Makes the entries of `leaf` durable, and the leaf itself in the folders above, once per run: another process may have made it and not
   * come to its own fsync.
   */
  async sync(leaf: string): Promise<void> {
    if (this.#durable.has(leaf)) return await this.#folderSync.sync(leaf);
    const parent = dirname(leaf);
    await Promise.all([leaf, parent, dirname(parent)].map((folder) => this.#folderSync.sync(folder)));
    this.#durable.add(leaf);
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
