import { AshlarError } from "@ashlar/sdk/errors";
import type { FsParts } from "./fs-parts.ts";

/**
 * Refuses a chunk that would use up what the store leaves free for others on its disk. Deletes need no room and are never refused.
 *
 * @param sizeBytes that are still to be written.
 * @throws {AshlarError} DISK_FULL
 */
export async function assertRoom(parts: FsParts, path: string, sizeBytes: number): Promise<void> {
  if (parts.reserveBytes === 0) return;
  const { bavail, bsize } = await parts.fileSystem.statfs(path);
  if (bavail * bsize - sizeBytes >= parts.reserveBytes) return;
  throw new AshlarError("DISK_FULL", "the disk of the chunk store is full up to its reserve; the chunk is not kept");
}
