import type { BigIntStats, Stats } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";
import { descriptorShortage } from "../../internal/descriptor-shortage.ts";

const NS_PER_MS = 1e6;

/** The part of `node:fs/promises` that the store calls; tests put faults in between. */
export type FileSystem = Pick<
  typeof nodeFs,
  "link" | "lstat" | "mkdir" | "open" | "readdir" | "readFile" | "rename" | "stat" | "statfs" | "unlink"
>;

/** The real one. */
export const nodejsFileSystem: FileSystem = nodeFs;

/** Stats the entry under a path itself, not the target of a link: a chunk's file is never a link. */
export async function lookAt(
  { fileSystem }: { readonly fileSystem: FileSystem },
  path: string,
): Promise<BigIntStats | undefined> {
  try {
    return await fileSystem.lstat(path, { bigint: true });
  } catch (error) {
    // ELOOP: a folder above is a link in a circle, so nothing is below it.
    if (isAbsent(error) || errnoOf(error) === "ELOOP") return undefined;
    throw error;
  }
}

/** What identifies a file for as long as it is open. As bigint, because inode numbers may pass 2^53. */
export function identityOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** When a file was last modified, which for a chunk is when it was claimed; wall time in ms. */
export function modifiedAtMs(stats: BigIntStats): number {
  return Number(stats.mtimeNs) / NS_PER_MS;
}

/** Describes, for people, an entry that is no plain file. */
export function kindOf(stats: Pick<Stats | BigIntStats, "isDirectory" | "isSymbolicLink">): string {
  if (stats.isDirectory()) return "a folder";
  return stats.isSymbolicLink() ? "a symbolic link" : "no plain file";
}

/** Removes a file that may be gone already. */
export async function removeIfPresent(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.unlink(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** The errno name of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/**
 * Whether `error` says that the file or a folder above it does not exist: the one condition that means "absent". An entry above that is no folder
 * (ENOTDIR) counts too: nothing lies below it.
 */
export function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR";
}

/** Errors of opening a link that may not be followed, a folder, or a socket. */
const NO_FILE: ReadonlySet<string | undefined> = new Set(["ELOOP", "EMLINK", "EISDIR", "ENXIO"]);

/** Whether opening a path failed because something other than a file lies there. */
export function isNoFile(error: unknown): boolean {
  return NO_FILE.has(errnoOf(error));
}

/** Whether making a hard link failed because the file system has none (exFAT, some network file systems). */
export function hasNoLinks(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "EPERM" || errno === "ENOTSUP" || errno === "EOPNOTSUPP";
}

/** Whether `error` is not about a file: the process or the system ran out of file handles or memory. */
export function isShortage(error: unknown): boolean {
  return CODE_OF_ERRNO[errnoOf(error) ?? ""] === "OVERLOADED";
}

// Each row occurs in a test (disk-full, unreadable folder) or is named in open(2), write(2), fsync(2).
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

/** Gives a file system error its code, the original kept as cause; anything that is not a system error passes through. */
export function toStoreError(error: unknown): unknown {
  if (AshlarError.is(error)) return error;
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error) || !("syscall" in error)) return error;
  const code = CODE_OF_ERRNO[errno] ?? "INTERNAL";
  const isFull = code === "DISK_FULL";
  const message = isFull
    ? `the chunk store's disk is full (${errno} in ${String(error.syscall)}): make room on it, then write again`
    : (descriptorShortage(error) ?? `the chunk store's file system failed: ${errno} in ${String(error.syscall)}`);
  return new AshlarError(code, message, {
    cause: error,
    details: { errno },
  });
}

/**
 * Maps items in order, up to `concurrency` at once.
 *
 * After the first failure no further item is started. The promise rejects with that failure once the running items have settled, so no work goes
 * on after it.
 */
export async function mapConcurrent<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  map: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (failure === undefined && next < items.length) {
      const index = next++;
      try {
        results[index] = await map(items[index] as Item, index);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
  if (failure !== undefined) throw failure.error;
  return results;
}
