import * as nodeFs from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { makeFolderDurably } from "./durable-file.ts";

/** What `mkdir` says where a file is in the way, or no folder can be made at all. */
const NO_FOLDER: Readonly<Record<string, string>> = {
  EEXIST: "is a file, not a folder",
  ENOTDIR: "is below a file, not a folder",
  ENOENT: "is where no folder can be made",
  ENAMETOOLONG: "is too long for a path",
  EACCES: "may not be made by this user",
  EPERM: "may not be made by this user",
  EROFS: "is on a disk that cannot be written",
};

/** @throws {AshlarError} INVALID_ARGUMENT for what names no folder. */
export function assertFolderPath(path: unknown): asserts path is string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return;
  throw new AshlarError("INVALID_ARGUMENT", "path is the folder of the store, a text that is not empty");
}

/**
 * Makes the folder of a store, with those above it, unless it is there; what it makes is closed to other users.
 *
 * @param mode of the folders that it makes; default 0700.
 * @returns the outermost folder that it made; `undefined` if all were there.
 * @throws {AshlarError} INVALID_ARGUMENT if the path can be no folder, DISK_FULL, INTERNAL.
 */
export async function makeStoreFolder(path: string, mode?: number): Promise<string | undefined> {
  try {
    return await makeFolderDurably(nodeFs, path, mode);
  } catch (error) {
    const errno = error instanceof Error && "code" in error ? String(error.code) : "";
    const details = { path, errno };
    if (errno === "ENOSPC" || errno === "EDQUOT") {
      throw new AshlarError("DISK_FULL", "the disk is full", { cause: error, details });
    }
    const problem = NO_FOLDER[errno];
    if (problem === undefined) throw AshlarError.from(error);
    throw new AshlarError("INVALID_ARGUMENT", `the store's path ${path} ${problem}`, { cause: error, details });
  }
}
