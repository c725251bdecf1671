import { rm } from "node:fs/promises";
import { decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { BackupFolder } from "./backup-folder.ts";
import { openRecord, type WholeRecord } from "./record.ts";

/** What a prune did. */
export interface Pruned {
  readonly backupsKept: number;
  readonly backupsDeleted: number;
  readonly chunksDeleted: number;
  readonly bytesDeleted: number;
}

/** Chunks that one walk over the kept records looks for: about 100 MB. */
const IDS_PER_WALK = 500_000;

/**
 * Deletes the records of all backups but the newest, then the chunks that no record names any more. Whatever interrupts it, a record that is left has all its
 * chunks, and the next prune deletes what this one did not.
 *
 * @throws {AshlarError} METADATA_CORRUPT if a record that stays cannot be read: what it names is not known, so nothing is deleted.
 */
export async function pruneBackups({
  folder,
  keepCount,
  signal,
}: {
  readonly folder: BackupFolder;
  readonly keepCount: number;
  readonly signal: AbortSignal;
}): Promise<Pruned> {
  const names = folder.records();
  // A first backup that was interrupted has chunks and no record; it goes on where it was.
  if (names.length === 0) return { backupsKept: 0, backupsDeleted: 0, chunksDeleted: 0, bytesDeleted: 0 };
  const kept: WholeRecord[] = [];
  for (const name of names.slice(-keepCount)) kept.push(await openRecord(folder.recordFile(name)));
  const dropped = names.slice(0, -keepCount);
  for (const name of dropped) await rm(folder.recordFile(name));
  let chunksDeleted = 0;
  let bytesDeleted = 0;
  let cursor: string | undefined;
  do {
    const unnamed = new Map<string, number>();
    do {
      const page = await folder.chunks.listChunks({ cursor, limit: LIMITS.LIST_LIMIT_MAX, signal });
      for (const { chunkId, sizeBytes } of page.chunks) unnamed.set(encodeHex(chunkId), sizeBytes);
      cursor = page.nextCursor;
    } while (cursor !== undefined && unnamed.size < IDS_PER_WALK);
    for (const record of kept) await forgetNamed(record, unnamed);
    const ids = [...unnamed.keys()];
    for (let from = 0; from < ids.length; from += LIMITS.LIST_LIMIT_MAX) {
      const some = ids.slice(from, from + LIMITS.LIST_LIMIT_MAX);
      const outcomes = await folder.chunks.deleteChunks(some.map(decodeDigestHex), { unclaimedForMs: 0, signal });
      for (const [index, id] of some.entries()) {
        if (outcomes[index] !== "deleted") continue;
        chunksDeleted++;
        bytesDeleted += unnamed.get(id) ?? 0;
      }
    }
  } while (cursor !== undefined);
  return { backupsKept: kept.length, backupsDeleted: dropped.length, chunksDeleted, bytesDeleted };
}

async function forgetNamed(record: WholeRecord, unnamed: Map<string, number>): Promise<void> {
  for await (const entry of record.entries()) {
    if (entry.kind !== "object") continue;
    for await (const chunks of entry.chunks()) for (const { chunkId } of chunks) unnamed.delete(encodeHex(chunkId));
  }
}
