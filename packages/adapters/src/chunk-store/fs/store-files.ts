import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { damagedFile, readJsonObject, writeDurably } from "../../internal/durable-file.ts";
import type { FileSystem } from "./file-system.ts";
import { isAbsent } from "./fs-error.ts";

const FORMAT = "ashlar-chunk-store";
const FORMAT_VERSION = 1;
const REMEDY = "restore it from a backup, or write it anew from what is there with: ashlar fsck --rebuild";

async function exists(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** What the small files at the top of a store folder need. */
export interface StoreFolder {
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
export async function writeFormat({ fileSystem, root, ownerToken }: StoreFolder): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION })}\n`;
  await writeDurably(fileSystem, root, { name: "format.json", temp: `format-${ownerToken}.tmp`, text });
}

/**
 * The wall time before which no claim may be taken to lie: the first opening in this run of the operating system.
 *
 * Claims are not fsynced; as long as the system runs, its page cache has them all, across any number of process restarts. After a reboot
 * the ones on disk may be too old, so the floor moves to now. Where a run of the system has no id, every opening moves it.
 */
export async function readClaimFloor(folder: StoreFolder, bootId: string | undefined, nowMs: number): Promise<number> {
  if (bootId === undefined) return nowMs;
  const found = await readJsonObject(folder.fileSystem, join(folder.root, "boot.json"));
  // A damaged one is replaced: a floor that is too late only keeps chunks longer.
  const known = found === "damaged" ? undefined : found;
  const floorMs = known?.claimFloorMs;
  // A floor in the future (the wall clock was set back) would keep chunks alive for ever.
  if (known?.bootId === bootId && typeof floorMs === "number" && floorMs <= nowMs) return floorMs;
  const text = `${JSON.stringify({ bootId, claimFloorMs: nowMs })}\n`;
  const temp = `boot-${folder.ownerToken}.tmp`;
  await writeDurably(folder.fileSystem, folder.root, { name: "boot.json", temp, text });
  return nowMs;
}
