import { statSync } from "node:fs";
import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["INVALID_ARGUMENT", "is not there"],
  ENOTDIR: ["INVALID_ARGUMENT", "is below something that is no folder"],
  EEXIST: ["INVALID_ARGUMENT", "is there already, and no folder"],
  EISDIR: ["INVALID_ARGUMENT", "is a folder"],
  EACCES: ["INVALID_ARGUMENT", "may not be used by you"],
  EPERM: ["INVALID_ARGUMENT", "may not be used by you"],
  ENXIO: ["INVALID_ARGUMENT", "is a socket or a device that cannot be opened"],
  ENODEV: ["INVALID_ARGUMENT", "is a device that cannot be opened"],
  ELOOP: ["INVALID_ARGUMENT", "is a symbolic link that leads round in a circle"],
  ENAMETOOLONG: ["INVALID_ARGUMENT", "is too long for a name"],
  EINVAL: ["INVALID_ARGUMENT", "cannot be used like this"],
  EFBIG: ["DISK_FULL", "does not fit: it is larger than files may be there"],
  EROFS: ["INVALID_ARGUMENT", "is on a disk that cannot be written"],
  ENOSPC: ["DISK_FULL", "does not fit: the disk is full"],
  EDQUOT: ["DISK_FULL", "does not fit: the quota is used up"],
};

/** Says what is wrong with a local file, where the error is about one; every other error passes. */
export function fileError(error: unknown, file: string): unknown {
  const code = error instanceof Error && "code" in error && "syscall" in error ? String(error.code) : "";
  const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  if (known === undefined || AshlarError.is(error)) return error;
  return new AshlarError(known[0], `${file} ${known[1]}`, { cause: error, details: { file } });
}

/** The same for a folder in which a store could not be opened: the store says what failed, but not where. */
export function folderError(error: unknown, folder: string): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  const told = fileError(cause, folder);
  return told === cause ? error : told;
}

/**
 * Whether a file or a folder is there. What may not be looked at gives an error: if it were called absent, its owner would make a second one.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if this user may not look, or links lead round in a circle; NODE_UNAVAILABLE if the disk cannot be read.
 */
export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return false;
    if (isDenied(error)) throw notYours(error, path);
    const details = { path, errno };
    if (errno === "ELOOP") {
      const message = `${path} is a symbolic link that leads round in a circle, or is below one`;
      throw new AshlarError("INVALID_ARGUMENT", message, { cause: error, details });
    }
    throw new AshlarError("NODE_UNAVAILABLE", `${path} cannot be looked at: ${errno}`, { cause: error, details });
  }
}

const errnoOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

/** Whether an error says that this user may not do it. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error));
}

/** The error for a store or a cluster of another user. */
export function notYours(cause: unknown, path: string): AshlarError {
  const message = `${path} may not be used by you: run this as its owner, or reach it through a server`;
  return new AshlarError("INVALID_ARGUMENT", message, { cause, details: { path, errno: errnoOf(cause) } });
}
