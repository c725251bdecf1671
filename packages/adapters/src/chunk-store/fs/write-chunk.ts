import type { FileHandle } from "node:fs/promises";
import { throwIfAborted } from "@ashlar/sdk/errors";
import type { Durability } from "@ashlar/sdk/ports";
import { PRIVATE_FILE_MODE } from "../../internal/private-files.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { identityOf, isSynced, stampClaim } from "./claims.ts";
import { assertRoom } from "./disk-room.ts";
import { removeIfPresent } from "./folder-sync.ts";
import { isAbsent, isNoFile } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";

/** A chunk file that is being written under a temporary name. */
export interface TempChunk {
  readonly path: string;
  readonly handle: FileHandle;
  readonly writer: ChunkWriter;
}

const hasNoFolder = (error: unknown): boolean => isAbsent(error) || isNoFile(error);

async function openTemp(parts: FsParts): Promise<TempChunk> {
  const path = parts.names.tempPath();
  await parts.folders.ensure(parts.names.tempFolder);
  try {
    const handle = await parts.fileSystem.open(path, "wx", PRIVATE_FILE_MODE);
    return { path, handle, writer: new ChunkWriter(handle) };
  } catch (error) {
    // Somebody removed the folder, or put something in its place, behind our back; make it again, once.
    if (!hasNoFolder(error) || !parts.folders.forget(parts.names.tempFolder)) throw error;
    return await openTemp(parts);
  }
}

async function renameInto(parts: FsParts, place: ChunkPlace, tempPath: string): Promise<void> {
  try {
    await parts.step("rename", () => parts.fileSystem.rename(tempPath, place.path));
  } catch (error) {
    // As in openTemp.
    if (!hasNoFolder(error) || !parts.folders.forget(place.leaf)) throw error;
    await parts.folders.ensure(place.leaf);
    await renameInto(parts, place, tempPath);
  }
}

/** What a write does with its temporary file once the bytes are in it. */
export interface PublishOptions {
  readonly durability: Durability;
  /** A file of the same chunk lies there, is counted, and goes. */
  readonly replaces: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gives a complete temporary file its name, claimed and as durable as asked. The caller holds the chunk's lock.
 *
 * The look at `signal` is the last step before the rename: a caller whose abort has rejected may change its bytes, and then they must not
 * become visible. From the rename on, an abort comes too late and the chunk stays.
 */
export async function publish(
  parts: FsParts,
  place: ChunkPlace,
  temp: TempChunk,
  options: PublishOptions,
): Promise<void> {
  // The file has its room by now, and so have those of other writers: nobody publishes into the reserve.
  await assertRoom(parts, parts.names.tempFolder, 0);
  // Not before: the bytes have turned out to be the chunk's.
  await parts.folders.ensure(place.leaf);
  await stampClaim(parts, temp.handle);
  throwIfAborted(options.signal);
  await parts.usage.change(place.id, async () => {
    await renameInto(parts, place, temp.path);
    return options.replaces ? { chunkCount: 0, bytesUsed: 0 } : { chunkCount: 1, bytesUsed: temp.writer.sizeBytes };
  });
  if (!isSynced(options.durability)) return;
  try {
    await parts.step("fsync_folder", () => parts.folders.sync(place.leaf));
  } catch (error) {
    // It stays: another process may have put the same chunk, and been told that it is there. The next put writes it anew.
    parts.synced.doubt(identityOf(await temp.handle.stat({ bigint: true })));
    throw error;
  }
  parts.synced.add(place.id);
  await parts.home.assertThere();
}

/**
 * Runs `use` with a new temporary file, the same for every chunk; the file is gone afterwards unless `use` gave it its name.
 *
 * @param use returns true if it published the file.
 */
export async function withTemp(parts: FsParts, use: (temp: TempChunk) => Promise<boolean>): Promise<void> {
  const temp = await openTemp(parts);
  let published = false;
  try {
    published = await use(temp);
  } finally {
    await temp.handle.close();
    // Published files have left this name; after a failure behind the rename there is nothing under it either.
    if (!published) await removeTemp(parts, temp.path);
  }
}

/** Never throws: what made the write fail must reach the caller, and the sweep finds what is left here. */
async function removeTemp(parts: FsParts, path: string): Promise<void> {
  try {
    await removeIfPresent(parts.fileSystem, path);
  } catch (error) {
    parts.logger.warn({ error, path }, "could not remove a temporary file");
  }
}
