import type { BigIntStats, Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { FileSystem } from "./file-system.ts";
import { errnoOf, isAbsent } from "./fs-error.ts";

const NS_PER_MS = 1e6;

/** An open file of a chunk. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/** What lies under a path, itself and not what a link leads to: a chunk's file is never a link. */
export async function lookAt(
  { fileSystem }: { readonly fileSystem: FileSystem },
  path: string,
): Promise<BigIntStats | undefined> {
  try {
    return await fileSystem.lstat(path, { bigint: true });
  } catch (error) {
    // A folder above that is a link in a circle: nothing is below it.
    if (isAbsent(error) || errnoOf(error) === "ELOOP") return undefined;
    throw error;
  }
}

/** When a file was last modified, which for a chunk is when it was claimed; wall time in ms. */
export function modifiedAtMs(stats: BigIntStats): number {
  return Number(stats.mtimeNs) / NS_PER_MS;
}

/** Names what is no plain file, for people. */
export function kindOf(stats: Pick<Stats | BigIntStats, "isDirectory" | "isSymbolicLink">): string {
  if (stats.isDirectory()) return "a folder";
  return stats.isSymbolicLink() ? "a symbolic link" : "no plain file";
}
