import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Durability } from "@ashlar/sdk/ports";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { probeChunk } from "./chunk-reader.ts";
import { isAbsent } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { restoreChunk } from "./leftover-sweep.ts";

const MS_PER_SECOND = 1000;

/** An open chunk file whose footer has been checked. */
export interface PresentChunk {
  readonly handle: FileHandle;
  readonly payloadBytes: number;
  /** Device and inode: the name may stand for another file by now. */
  readonly identity: string;
}

/** What identifies a file for as long as it is open. As bigint, because inode numbers may pass 2^53. */
export function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

/** The identity of what lies under `path` now; undefined if nothing does. */
export async function identityAt(parts: FsParts, path: string): Promise<string | undefined> {
  try {
    return identityOf(await parts.fileSystem.stat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Opens a file, or answers undefined where it does not exist; every other failure throws. */
export async function openIfPresent(parts: FsParts, path: string, flags: "r" | "r+"): Promise<FileHandle | undefined> {
  try {
    return await parts.fileSystem.open(path, flags);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * Moves a damaged chunk file out of the way, so that the chunk is absent and can be written again, and keeps its bytes for inspection.
 *
 * The caller holds the chunk's lock. Another process may have replaced the file meanwhile; a file of another identity comes back.
 */
export async function quarantine(
  parts: FsParts,
  place: ChunkPlace,
  damaged: { identity: string; problem: string },
): Promise<void> {
  const { fileSystem, names, usage, logger, synced } = parts;
  if ((await identityAt(parts, place.path)) !== damaged.identity) return;
  synced.delete(place.id);
  await fileSystem.mkdir(names.quarantineFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  const aside = names.quarantinePath(place);
  await usage.change(place.id, async () => {
    try {
      await fileSystem.rename(place.path, aside);
    } catch (error) {
      if (isAbsent(error)) return { chunkCount: 0, bytesUsed: 0 };
      throw error;
    }
    if ((await identityAt(parts, aside)) !== damaged.identity) {
      await restoreChunk(fileSystem, aside, place.path);
      return { chunkCount: 0, bytesUsed: 0 };
    }
    logger.error({ chunkId: place.id, problem: damaged.problem, quarantine: aside }, "quarantined a damaged chunk");
    const { size } = await fileSystem.stat(aside);
    return { chunkCount: -1, bytesUsed: -(payloadBytesOf(size) ?? 0) };
  });
}

/**
 * Opens the chunk file and checks its footer; a file that fails is quarantined and counts as absent. The caller holds the chunk's lock and
 * closes the handle.
 */
export async function openPresent(parts: FsParts, place: ChunkPlace): Promise<PresentChunk | undefined> {
  const handle = await openIfPresent(parts, place.path, "r+");
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat({ bigint: true });
    const probe = await probeChunk(handle, place.chunkId, Number(stats.size));
    const identity = identityOf(stats);
    if ("payloadBytes" in probe) return { handle, payloadBytes: probe.payloadBytes, identity };
    await quarantine(parts, place, { identity, problem: probe.problem });
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Stamps an open chunk file as claimed now. */
export async function stampClaim(parts: FsParts, handle: FileHandle): Promise<void> {
  const seconds = parts.claimClock.stampMs() / MS_PER_SECOND;
  await handle.utimes(seconds, seconds);
}

/** `in-doubt`: a sync of the file failed, so that nothing it holds counts; it is written anew, or the put fails. */
export type ClaimOutcome = "claimed" | "absent" | "in-doubt";

/** Whether chunk files are synced before an answer in this mode. */
export function isSynced(durability: Durability): boolean {
  // `batched` too: a commit that is synced later, or by chance, must never name a chunk that is not on the disk.
  return durability !== "os";
}

/**
 * Claims an open chunk, first making it as durable as `durability` asks. The caller holds the chunk's lock.
 *
 * @returns `absent` if another process took the file away meanwhile. The look at the path after the stamp is what the delete protocol rests on, see
 *   delete-chunk.ts.
 */
export async function claimPresent(
  parts: FsParts,
  place: ChunkPlace,
  present: PresentChunk,
  durability: Durability,
): Promise<ClaimOutcome> {
  if (isSynced(durability) && !parts.synced.has(place.id)) {
    if (parts.synced.isInDoubt(present.identity)) return "in-doubt";
    try {
      await present.handle.datasync();
      await parts.folders.sync(place.leaf);
    } catch (error) {
      parts.synced.doubt(present.identity);
      parts.logger.warn({ error, chunkId: place.id }, "a chunk file could not be synced; it is written anew");
      return "in-doubt";
    }
    parts.synced.add(place.id);
  }
  await stampClaim(parts, present.handle);
  if (isSynced(durability)) await parts.home.assertThere();
  return (await identityAt(parts, place.path)) === present.identity ? "claimed" : "absent";
}
