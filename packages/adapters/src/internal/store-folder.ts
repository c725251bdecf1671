import { constants } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { makeFolderDurably } from "./durable-file.ts";

const NOT_YOURS = "may not be used by this user: run this as the owner of the store, or reach it through a server";

/** What the errors of `mkdir` mean: a file is in the way, or no folder can be made at all. */
const NO_FOLDER: Readonly<Record<string, string>> = {
  EEXIST: "is a file, not a folder",
  ENOTDIR: "is below a file, not a folder",
  ENOENT: "is where no folder can be made",
  ENAMETOOLONG: "is too long for a path",
  EACCES: NOT_YOURS,
  EPERM: NOT_YOURS,
  EROFS: "is on a disk that cannot be written",
};

/** @throws {AshlarError} INVALID_ARGUMENT for a value that can name no folder. */
export function assertFolderPath(path: unknown): asserts path is string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return;
  throw new AshlarError("INVALID_ARGUMENT", "path is the folder of the store, a text that is not empty");
}

/**
 * Makes the folder of a store, and missing folders above it, closed to other users. Checks that this user may use the folder if it is there.
 *
 * @param mode of the folders that it makes; default 0700.
 * @returns the outermost folder that it made; `undefined` if all were there.
 * @throws {AshlarError} INVALID_ARGUMENT if the path can be no folder, or is one that this user may not read and write, DISK_FULL, INTERNAL.
 */
export async function makeStoreFolder(path: string, mode?: number): Promise<string | undefined> {
  try {
    const made = await makeFolderDurably(nodeFs, path, mode);
    await nodeFs.access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return made;
  } catch (error) {
    throw await explained(error, path);
  }
}

/** Says what an error of the file system means for the store in `path`; passes every other error on. */
export async function explained(error: unknown, path: string): Promise<AshlarError> {
  if (AshlarError.is(error)) return error;
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const details = { path, errno };
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new AshlarError("DISK_FULL", "the disk is full", { cause: error, details });
  }
  const isLink = errno === "EEXIST" && (await leadsNowhere(error, path));
  const problem = isLink ? "is a symbolic link that leads to no folder" : NO_FOLDER[errno];
  if (problem === undefined) return AshlarError.from(error);
  return new AshlarError("INVALID_ARGUMENT", `the store's path ${path} ${problem}`, { cause: error, details });
}

/** Whether a link was in the way: the path itself, or one above it. */
async function leadsNowhere(error: unknown, path: string): Promise<boolean> {
  const inTheWay = error instanceof Error && "path" in error ? String(error.path) : path;
  return await nodeFs.lstat(inTheWay).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}
