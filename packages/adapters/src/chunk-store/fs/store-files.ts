/**
 * The small files at the top of a store's folder: `format.json` (what lies here), `boot.json` (how old a claim can be at most) and `database.json`
 * (which database may delete).
 */
import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { type DatabaseMark, meetDatabase } from "@ashlar/sdk/ports";
import { damagedFile, readJsonObject, writeDurably } from "../../internal/durable-file.ts";
import { readSeenDatabase, SEEN_DATABASE_FILE, writeSeenDatabase } from "../../internal/seen-database.ts";
import { ChunkNames, type ChunkPlace, classifyLeafEntry } from "./chunk-names.ts";
import { openIfPresent, probeChunk } from "./chunk-reader.ts";
import { type FileSystem, isAbsent, nodejsFileSystem } from "./file-system.ts";

const FORMAT = "ashlar-chunk-store";
const FORMAT_VERSION = 1;
const REMEDY = "restore it from a backup, or write it anew from what is there with: ashlar fsck --rebuild";

/** What the small files at the top of a store folder need. */
interface StoreFolder {
  readonly fileSystem: FileSystem;
  readonly root: string;
  readonly ownerToken: string;
}

/**
 * Checks `format.json`, or writes it where the folder is new.
 *
 * @throws {AshlarError} STORE_INCOMPATIBLE for a newer or foreign format.
 */
export async function ensureFormat({ fileSystem, root, ownerToken }: StoreFolder): Promise<void> {
  // In this order: the marker is written before the first chunk folder, so two processes that create one store cannot mislead each other.
  const hasChunks = await exists(fileSystem, join(root, "chunks"));
  const path = join(root, "format.json");
  const marker = await readJsonObject(fileSystem, path);
  if (marker === "damaged") throw damagedFile(path, REMEDY);
  if (marker === undefined && hasChunks) {
    throw new AshlarError("STORE_INCOMPATIBLE", `${root} has chunks and no format.json: ${REMEDY}`, {
      details: { path: root },
    });
  }
  const { format, formatVersion } = marker ?? {};
  if (marker === undefined) {
    await writeFormat({ fileSystem, root, ownerToken });
  } else if (format !== FORMAT || formatVersion !== FORMAT_VERSION) {
    throw new AshlarError("STORE_INCOMPATIBLE", "the folder is not a chunk store of format version 1", {
      details: { path: root, format: String(format), formatVersion: String(formatVersion) },
    });
  }
}

/** Writes `format.json`, durably. */
async function writeFormat({ fileSystem, root, ownerToken }: StoreFolder): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION })}\n`;
  await writeDurably(fileSystem, root, { name: "format.json", temp: `format-${ownerToken}.tmp`, text });
}

async function exists(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/**
 * Returns the wall time that no claim counts as older than: the first opening in this run of the operating system.
 *
 * Claims are not fsynced. While the system runs, its page cache has them all, across any number of process restarts. After a reboot the claims
 * on disk may be too old, so the floor moves to now. Where a run of the system has no id, every opening moves the floor.
 */
export async function readClaimFloor(folder: StoreFolder, bootId: string | undefined, nowMs: number): Promise<number> {
  if (bootId === undefined) return nowMs;
  const found = await readJsonObject(folder.fileSystem, join(folder.root, "boot.json"));
  // A damaged file is replaced: a floor that is too late only keeps chunks longer.
  const known = found === "damaged" ? undefined : found;
  const floorMs = known?.claimFloorMs;
  // A floor in the future (the wall clock was set back) would keep chunks alive forever.
  if (known?.bootId === bootId && typeof floorMs === "number" && floorMs <= nowMs) return floorMs;
  const text = `${JSON.stringify({ bootId, claimFloorMs: nowMs })}\n`;
  const temp = `boot-${folder.ownerToken}.tmp`;
  await writeDurably(folder.fileSystem, folder.root, { name: "boot.json", temp, text });
  return nowMs;
}

/** Checks whether a metadata database may delete. Resolves to a wall time in ms: chunks that were last claimed before it are kept. */
export type MeetDatabase = (mark: DatabaseMark, nowMs: number) => Promise<number>;

/**
 * Remembers in `database.json` which metadata database the chunks of a folder are kept for. The file is read each time: another process may have the
 * folder open. Calls run one after another.
 *
 * @returns a function that fails with METADATA_CORRUPT or STORE_INCOMPATIBLE if nothing may be deleted.
 */
export function rememberDatabase({ fileSystem, root, ownerToken }: StoreFolder): MeetDatabase {
  let last: Promise<unknown> = Promise.resolve();
  const meet = async (mark: DatabaseMark, nowMs: number): Promise<number> => {
    const known = await readSeenDatabase(fileSystem, root);
    const seen = meetDatabase(known, mark, nowMs);
    // Durable before the first delete that depends on it.
    if (seen !== known) await writeSeenDatabase(fileSystem, root, { seen, unique: ownerToken });
    return seen.keptBeforeMs ?? Number.NEGATIVE_INFINITY;
  };
  return (mark, nowMs) => {
    const met = last.then(() => meet(mark, nowMs));
    last = met.catch(() => {});
    return met;
  };
}

/** Chunk files that are looked at: enough to know what the folder holds. */
const PROBES_MAX = 64;

/**
 * Rebuilds the small files of a chunk store's folder from what is there. Writes `format.json` if chunk files of its format lie below. Moves a damaged
 * `database.json` away; the next opening of the metadata writes it again. A damaged file is kept next to it as `<name>.damaged`; sound files, chunks
 * and the database stay as they are. Objects cannot be rebuilt: only the metadata knows which chunks make an object, and its name.
 *
 * @param path folder of the store; no process may have it open.
 * @returns names of the files that were damaged or missing.
 * @throws {AshlarError} STORE_INCOMPATIBLE if the folder has no chunk that shows this format.
 */
export async function rebuildStoreFiles(path: string): Promise<readonly string[]> {
  const root = resolve(path);
  const folder = { fileSystem: nodejsFileSystem, root, ownerToken: randomUUID() };
  const rebuilt: string[] = [];
  const format = await readJsonObject(nodejsFileSystem, join(root, "format.json"));
  if (format === "damaged" || (format === undefined && (await namesIn(root)).includes("chunks"))) {
    if (!(await holdsOurChunk(root))) {
      throw new AshlarError("STORE_INCOMPATIBLE", `${root} holds no chunk by which its format could be told`, {
        details: { path: root },
      });
    }
    if (format === "damaged") await setAside(join(root, "format.json"));
    await writeFormat(folder);
    rebuilt.push("format.json");
  }
  if ((await readJsonObject(nodejsFileSystem, join(root, SEEN_DATABASE_FILE))) === "damaged") {
    await setAside(join(root, SEEN_DATABASE_FILE));
    rebuilt.push(SEEN_DATABASE_FILE);
  }
  if (format !== undefined || rebuilt.length > 0) await ensureFormat(folder);
  return rebuilt;
}

async function setAside(file: string): Promise<void> {
  await nodejsFileSystem.rename(file, `${file}.damaged`);
}

/** Passes over what cannot be read: one good chunk is enough. */
async function holdsOurChunk(root: string): Promise<boolean> {
  const names = new ChunkNames(root, "");
  let probes = 0;
  for (const first of await namesIn(names.chunksFolder)) {
    for (const second of await namesIn(join(names.chunksFolder, first))) {
      for (const name of await namesIn(names.leafFolder(first, second))) {
        if (classifyLeafEntry(name).kind !== "chunk") continue;
        if (await isOurChunk(names.place(decodeDigestHex(name)))) return true;
        if (++probes === PROBES_MAX) return false;
      }
    }
  }
  return false;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await nodejsFileSystem.readdir(folder).catch(() => []);
}

async function isOurChunk(place: ChunkPlace): Promise<boolean> {
  const opened = await openIfPresent({ fileSystem: nodejsFileSystem }, place, "read").catch(() => undefined);
  if (opened === undefined) return false;
  try {
    return "payloadBytes" in (await probeChunk(opened, place.chunkId));
  } catch {
    return false;
  } finally {
    await opened.handle.close();
  }
}
