import type * as nodeFs from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE } from "./private-files.ts";

/** The part of `node:fs/promises` that these need. */
export type DurableFileSystem = Pick<typeof nodeFs, "open" | "readFile" | "rename" | "unlink">;

const errnoOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** Resolves once the entries of a folder are on the disk. Does nothing where folders cannot be synced. */
export async function syncFolder(fileSystem: Pick<DurableFileSystem, "open">, folder: string): Promise<void> {
  const handle = await fileSystem.open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Windows, and some network file systems, cannot fsync a folder; their renames are as durable as they can be.
    if (errnoOf(error) !== "EPERM" && errnoOf(error) !== "EINVAL") throw error;
  } finally {
    await handle.close();
  }
}

type FolderFileSystem = Pick<typeof nodeFs, "mkdir" | "open" | "stat">;

/**
 * Makes a folder and those above it that are missing, closed to others unless `mode` says otherwise. Syncs the entry of each folder that it made: a
 * power loss must not remove a whole store.
 *
 * @returns the outermost folder that it made; `undefined` if all were there.
 */
export async function makeFolderDurably(
  fileSystem: FolderFileSystem,
  path: string,
  mode: number = PRIVATE_FOLDER_MODE,
): Promise<string | undefined> {
  const first = await makeFolders(fileSystem, resolve(path), mode);
  if (first === undefined) return undefined;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    await syncFolder(fileSystem, dirname(folder));
    if (folder === first || dirname(folder) === folder) return first;
  }
}

/**
 * Makes a folder and those above it that are missing, and syncs nothing.
 *
 * Works step by step: Node's own recursive `mkdir` takes every ENOENT for a missing folder above, and tries forever in a folder where nothing can be
 * made, such as /proc.
 *
 * @returns the outermost folder that it made; `undefined` if all were there.
 */
export async function makeFolders(
  fileSystem: Pick<FolderFileSystem, "mkdir" | "stat">,
  path: string,
  mode: number,
): Promise<string | undefined> {
  try {
    return await makeOne(fileSystem, path, mode);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    const first = await makeFolders(fileSystem, dirname(path), mode);
    const made = await makeOne(fileSystem, path, mode);
    return first ?? made;
  }
}

async function makeOne(
  fileSystem: Pick<FolderFileSystem, "mkdir" | "stat">,
  path: string,
  mode: number,
): Promise<string | undefined> {
  try {
    await fileSystem.mkdir(path, { mode });
    return path;
  } catch (error) {
    const isThere = await fileSystem.stat(path).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isThere) return undefined;
    throw error;
  }
}

/** Writes a small file so that it is there whole or not at all, also after a power loss. */
export async function writeDurably(
  fileSystem: DurableFileSystem,
  folder: string,
  file: { readonly name: string; readonly temp: string; readonly text: string },
): Promise<void> {
  const tempPath = join(folder, file.temp);
  try {
    const handle = await fileSystem.open(tempPath, "w", PRIVATE_FILE_MODE);
    try {
      await handle.writeFile(file.text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fileSystem.rename(tempPath, join(folder, file.name));
  } finally {
    await fileSystem.unlink(tempPath).catch((error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error;
    });
  }
  await syncFolder(fileSystem, folder);
}

/**
 * Reads a small JSON file.
 *
 * @returns its object; undefined if there is no such file; `"damaged"` for anything else, an empty file too.
 */
export async function readJsonObject(
  fileSystem: Pick<DurableFileSystem, "readFile">,
  path: string,
): Promise<Readonly<Record<string, unknown>> | "damaged" | undefined> {
  let text: string;
  try {
    text = await fileSystem.readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : "damaged";
  } catch {
    return "damaged";
  }
}

/** The error for a small file of a store that is there but cannot be read: the store never overwrites it by itself. */
export function damagedFile(path: string, remedy: string): AshlarError {
  return new AshlarError("STORE_INCOMPATIBLE", `${path} is empty or damaged and is left as it is: ${remedy}`, {
    details: { path },
  });
}
