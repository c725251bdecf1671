import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { readJsonObject } from "../../internal/durable-file.ts";
import { SEEN_DATABASE_FILE } from "../../internal/seen-database.ts";
import { classifyLeafEntry } from "./chunk-names.ts";
import { probeChunk } from "./chunk-reader.ts";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import { ensureFormat, writeFormat } from "./store-format.ts";

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

async function holdsOurChunk(fileSystem: FileSystem, root: string): Promise<boolean> {
  const entries = await readdir(join(root, "chunks"), { recursive: true, withFileTypes: true }).catch(() => []);
  const chunks = entries.filter((entry) => entry.isFile() && classifyLeafEntry(entry.name).kind === "chunk");
  for (const { parentPath, name } of chunks.slice(0, PROBES_MAX)) {
    const handle = await fileSystem.open(join(parentPath, name), "r");
    try {
      const probe = await probeChunk(handle, decodeDigestHex(name), (await handle.stat()).size);
      if ("payloadBytes" in probe) return true;
    } finally {
      await handle.close();
    }
  }
  return false;
}
