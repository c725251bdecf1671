import { type BigIntStats, constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Durability } from "@ashlar/sdk/ports";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import { corruptChunk, payloadBytesOf } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { probeChunk } from "./chunk-reader.ts";
import { isAbsent, isNoFile } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { restoreChunk } from "./leftover-sweep.ts";
import { kindOf, lookAt, type OpenedFile } from "./look-at.ts";

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
  const stats = await lookAt(parts, path);
  return stats && identityOf(stats);
}

/** No link is followed, and no pipe waited for; a system that knows no such flag gets none. */
const AS_A_FILE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a chunk's file, or answers undefined where it does not exist.
 *
 * @throws {AshlarError} CHUNK_CORRUPT if something else than a file lies there; every other failure as it is.
 */
export async function openIfPresent(
  { fileSystem }: Pick<FsParts, "fileSystem">,
  { path, chunkId }: Pick<ChunkPlace, "path" | "chunkId">,
  access: "read" | "claim",
): Promise<OpenedFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await fileSystem.open(path, (access === "read" ? constants.O_RDONLY : constants.O_RDWR) | AS_A_FILE);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (isNoFile(error)) throw corruptChunk(chunkId, NO_FILE_THERE, error);
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw corruptChunk(chunkId, NO_FILE_THERE);
    return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const NO_FILE_THERE = "what lies under its name is no file";

/**
 * Moves a damaged chunk file, or whatever else lies under its name, out of the way, so that the chunk is absent and can be written again, and keeps it
 * for inspection.
 *
 * The caller holds the chunk's lock. Another process may have replaced the file meanwhile; a file of another identity comes back.
 *
 * @param damaged.identity of the file that was read; undefined: none could be, and only what is no file goes.
 */
export async function quarantine(
  parts: FsParts,
  place: ChunkPlace,
  damaged: { readonly identity: string | undefined; readonly problem: string },
): Promise<void> {
  const { fileSystem, names, usage, logger, synced } = parts;
  const found = await lookAt(parts, place.path);
  if (found === undefined) return;
  const identity = identityOf(found);
  if (damaged.identity === undefined ? found.isFile() : identity !== damaged.identity) return;
  synced.delete(place.id);
  await fileSystem.mkdir(names.quarantineFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  const aside = names.quarantinePath(place.id);
  await usage.change(place.id, async () => {
    try {
      await fileSystem.rename(place.path, aside);
    } catch (error) {
      if (isAbsent(error)) return { chunkCount: 0, bytesUsed: 0 };
      throw error;
    }
    if ((await identityAt(parts, aside)) !== identity) {
      await restoreChunk(fileSystem, aside, place.path);
      return { chunkCount: 0, bytesUsed: 0 };
    }
    const problem = found.isFile() ? damaged.problem : `${kindOf(found)} lay under its name`;
    logger.error({ chunkId: place.id, problem, quarantine: aside }, "quarantined a damaged chunk");
    // What is no file was not counted either.
    if (!found.isFile()) return { chunkCount: 0, bytesUsed: 0 };
    return { chunkCount: -1, bytesUsed: -(payloadBytesOf(Number(found.size)) ?? 0) };
  });
}

/**
 * Opens the chunk file and checks its footer; a file that fails, and what is none, is quarantined and counts as absent. The caller holds the chunk's lock and
 * closes the handle.
 */
export async function openPresent(parts: FsParts, place: ChunkPlace): Promise<PresentChunk | undefined> {
  const opened = await openIfPresent(parts, place, "claim").catch(async (error: unknown) => {
    if (!AshlarError.is(error, "CHUNK_CORRUPT")) throw error;
    await quarantine(parts, place, { identity: undefined, problem: error.message });
    return undefined;
  });
  if (opened === undefined) return undefined;
  const { handle, stats } = opened;
  try {
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
