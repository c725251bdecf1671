import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { readJsonObject } from "../../internal/durable-file.ts";
import { SEEN_DATABASE_FILE } from "../../internal/seen-database.ts";
import { ChunkNames, type ChunkPlace, classifyLeafEntry } from "./chunk-names.ts";
import { probeChunk } from "./chunk-reader.ts";
import { openIfPresent } from "./claims.ts";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import { ensureFormat, writeFormat } from "./store-files.ts";

/** Chunk files that are looked at: enough to know whose folder this is. */
const PROBES_MAX = 64;

/**
 * Writes the small files of a chunk store's folder anew from what is there: `format.json` if chunk files of its format lie below, and takes a damaged
 * `database.json` away, which the next opening of the metadata writes again. A damaged file is kept beside as `<name>.damaged`; sound ones, chunks
 * and the database stay as they are. Objects cannot be rebuilt: which chunks make an object, and its name, are in the metadata alone.
 *
 * @param path folder of the store, which nobody has open.
 * @returns names of the files that were damaged or missing.
 * @throws {AshlarError} STORE_INCOMPATIBLE if the folder has no chunk of this format to tell by.
 */
export async function rebuildStoreFiles(path: string): Promise<readonly string[]> {
  const fileSystem = nodeFileSystem;
  const root = resolve(path);
  const rebuilt: string[] = [];
  const format = await readJsonObject(fileSystem, join(root, "format.json"));
  if (format === "damaged" || (format === undefined && (await holdsFolder(root)))) {
    if (!(await holdsOurChunk(fileSystem, root))) {
      throw new AshlarError("STORE_INCOMPATIBLE", `${root} holds no chunk by which its format could be told`, {
        details: { path: root },
      });
    }
    if (format === "damaged") await setAside(fileSystem, join(root, "format.json"));
    await writeFormat({ fileSystem, root, ownerToken: randomUUID() });
    rebuilt.push("format.json");
  }
  if ((await readJsonObject(fileSystem, join(root, SEEN_DATABASE_FILE))) === "damaged") {
    await setAside(fileSystem, join(root, SEEN_DATABASE_FILE));
    rebuilt.push(SEEN_DATABASE_FILE);
  }
  if (format !== undefined || rebuilt.length > 0) {
    await ensureFormat({ fileSystem, root, ownerToken: randomUUID() });
  }
  return rebuilt;
}

async function holdsFolder(root: string): Promise<boolean> {
  const names: readonly string[] = await readdir(root).catch(() => []);
  return names.includes("chunks");
}

async function setAside(fileSystem: FileSystem, file: string): Promise<void> {
  await fileSystem.rename(file, `${file}.damaged`);
}

/** What cannot be read is passed over: one good chunk tells. */
async function holdsOurChunk(fileSystem: FileSystem, root: string): Promise<boolean> {
  const names = new ChunkNames(root, "");
  let probes = 0;
  for (const first of await namesIn(fileSystem, names.chunksFolder)) {
    for (const second of await namesIn(fileSystem, join(names.chunksFolder, first))) {
      for (const name of await namesIn(fileSystem, names.leafFolder(first, second))) {
        if (classifyLeafEntry(name).kind !== "chunk") continue;
        if (await isOurChunk(fileSystem, names.place(decodeDigestHex(name)))) return true;
        if (++probes === PROBES_MAX) return false;
      }
    }
  }
  return false;
}

async function namesIn(fileSystem: FileSystem, folder: string): Promise<readonly string[]> {
  return await fileSystem.readdir(folder).catch(() => []);
}

async function isOurChunk(fileSystem: FileSystem, place: ChunkPlace): Promise<boolean> {
  const opened = await openIfPresent({ fileSystem }, place, "read").catch(() => undefined);
  if (opened === undefined) return false;
  try {
    return "payloadBytes" in (await probeChunk(opened.handle, place.chunkId, Number(opened.stats.size)));
  } catch {
    return false;
  } finally {
    await opened.handle.close();
  }
}
