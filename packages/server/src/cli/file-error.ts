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

/** The same for a folder that a store could not be opened in: the store tells what failed, but not where. */
export function folderError(error: unknown, folder: string): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  const told = fileError(cause, folder);
  return told === cause ? error : told;
}
