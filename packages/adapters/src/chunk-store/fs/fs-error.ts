import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";

// Each row was met by a test (disk-full, unreadable folder) or is named by open(2), write(2), fsync(2).
const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = Object.freeze({
  ENOSPC: "DISK_FULL",
  EDQUOT: "DISK_FULL",
  EMFILE: "OVERLOADED",
  ENFILE: "OVERLOADED",
  ENOMEM: "OVERLOADED",
  EIO: "NODE_UNAVAILABLE",
  EROFS: "NODE_UNAVAILABLE",
  EACCES: "NODE_UNAVAILABLE",
  EPERM: "NODE_UNAVAILABLE",
  ENODEV: "NODE_UNAVAILABLE",
  ENXIO: "NODE_UNAVAILABLE",
  ESTALE: "NODE_UNAVAILABLE",
  ETIMEDOUT: "NODE_UNAVAILABLE",
  EBUSY: "NODE_UNAVAILABLE",
});

/** The errno name of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/**
 * Whether `error` says that the file or a folder above it does not exist: the one condition that means "absent". Nothing lies below what is no folder,
 * either.
 */
export function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR";
}

/** What opening says of a link that may not be followed, of a folder, and of a socket. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(["ELOOP", "EMLINK", "EISDIR", "ENXIO"]);

/** Whether opening a path failed because something else than a file lies there. */
export function isNoFile(error: unknown): boolean {
  return NO_FILE.has(errnoOf(error));
}

/** Whether `error` is about the process, which ran out of something, and not about a file. */
export function isShortage(error: unknown): boolean {
  return CODE_OF_ERRNO[errnoOf(error) ?? ""] === "OVERLOADED";
}

/** Gives a file system error its code, the original kept as cause; anything that is not a system error passes through. */
export function toStoreError(error: unknown): unknown {
  if (AshlarError.is(error)) return error;
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error) || !("syscall" in error)) return error;
  const code = CODE_OF_ERRNO[errno] ?? "INTERNAL";
  return new AshlarError(code, `the chunk store's file system failed: ${errno} in ${String(error.syscall)}`, {
    cause: error,
    details: { errno },
  });
}
