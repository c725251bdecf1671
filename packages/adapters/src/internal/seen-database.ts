import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { SeenDatabase } from "@ashlar/sdk/ports";
import { type DurableFileSystem, damagedFile, readJsonObject, writeDurably } from "./durable-file.ts";

/** In the folder of a chunk store: which metadata database its chunks are kept for. */
export const SEEN_DATABASE_FILE = "database.json";

const FORMAT = "ashlar-seen-database";
const FORMAT_VERSION = 1;

/** @returns undefined if no database has been seen yet. @throws {AshlarError} STORE_INCOMPATIBLE if the file is damaged, newer or foreign. */
export async function readSeenDatabase(
  fileSystem: Pick<DurableFileSystem, "readFile">,
  folder: string,
): Promise<SeenDatabase | undefined> {
  const path = join(folder, SEEN_DATABASE_FILE);
  const marker = await readJsonObject(fileSystem, path);
  if (marker === undefined) return undefined;
  if (marker === "damaged") {
    throw damagedFile(path, "if metadata.sqlite is the right one, write it anew with: ashlar fsck --rebuild");
  }
  const { format, formatVersion, databaseId, epoch, keptBeforeMs } = marker;
  const isKnown = format === FORMAT && formatVersion === FORMAT_VERSION;
  if (!isKnown || typeof databaseId !== "string" || typeof epoch !== "number") {
    throw new AshlarError("STORE_INCOMPATIBLE", `${path} does not name a database in a form that is known here`, {
      details: { path, format: String(format), formatVersion: String(formatVersion) },
    });
  }
  return { databaseId, epoch, ...(typeof keptBeforeMs === "number" ? { keptBeforeMs } : {}) };
}

/** Writes what is remembered so that it is there whole or not at all. @param unique tells temporary files of several writers apart. */
export async function writeSeenDatabase(
  fileSystem: DurableFileSystem,
  folder: string,
  { seen, unique }: { readonly seen: SeenDatabase; readonly unique: string },
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, ...seen })}\n`;
  await writeDurably(fileSystem, folder, { name: SEEN_DATABASE_FILE, temp: `database-${unique}.tmp`, text });
}
