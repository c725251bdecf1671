import { statfsSync } from "node:fs";

const RESERVE_MAX_BYTES = 16 * 1024 * 1024;
const RESERVE_SHARE = 0.05;

/** Room on a disk. */
export interface DiskRoom {
  /** Bytes that this process may still write; undefined where the system does not say. */
  freeBytes(): number | undefined;
  /** Bytes that only operations that make room may use: 16 MiB, less on disks below 320 MiB (5 %). */
  readonly reserveBytes: number;
}

/** The room of the disk that `folder` lies on. */
export function diskRoom(folder: string): DiskRoom {
  const freeBytes = (): number | undefined => {
    try {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    } catch {
      return undefined; // the write itself will show it
    }
  };
  let reserveBytes = RESERVE_MAX_BYTES;
  try {
    const { blocks, bsize } = statfsSync(folder);
    if (blocks > 0) reserveBytes = Math.min(RESERVE_MAX_BYTES, Math.floor(blocks * bsize * RESERVE_SHARE));
  } catch {
    // Some network file systems do not tell their size.
  }
  return { freeBytes, reserveBytes };
}
