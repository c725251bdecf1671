import { AshlarError } from "@ashlar/sdk/errors";
import type { FileSystem } from "./file-system.ts";
import { isAbsent } from "./fs-error.ts";

/** The folder of an open store. Its path may come to name another folder, or none; what is written below it then is nobody's any more. */
export class StoreHome {
  readonly #fileSystem: FileSystem;
  readonly #root: string;
  readonly #identity: string;

  private constructor(fileSystem: FileSystem, root: string, identity: string) {
    this.#fileSystem = fileSystem;
    this.#root = root;
    this.#identity = identity;
  }

  static async of(fileSystem: FileSystem, root: string): Promise<StoreHome> {
    return new StoreHome(fileSystem, root, (await identityAt(fileSystem, root)) ?? "");
  }

  /** @throws {AshlarError} NODE_UNAVAILABLE if the folder was deleted, moved or exchanged since the opening. */
  async assertThere(): Promise<void> {
    if ((await identityAt(this.#fileSystem, this.#root)) === this.#identity) return;
    throw new AshlarError(
      "NODE_UNAVAILABLE",
      `the folder of the chunk store was deleted, moved or exchanged while it was open: ${this.#root}. Put it back and open the store anew`,
      { details: { path: this.#root } },
    );
  }
}

async function identityAt(fileSystem: FileSystem, path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await fileSystem.stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
