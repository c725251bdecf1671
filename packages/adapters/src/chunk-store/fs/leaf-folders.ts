import { join } from "node:path";
import { mapConcurrent } from "../../internal/map-concurrent.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import { classifyLeafEntry } from "./chunk-names.ts";
import type { LeafUsage, UsageScanner } from "./chunk-usage.ts";
import type { FileSystem } from "./file-system.ts";
import { isAbsent } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";

const FOLDER_NAME = /^[0-9a-f]{2}$/;
/** Stats at once: libuv has four threads for all file calls of the process. */
const STAT_CONCURRENCY = 4;

/** One chunk file of a leaf folder. */
export interface LeafChunk {
  readonly id: string;
  readonly payloadBytes: number;
  /** When it was last claimed, wall time in ms. */
  readonly modifiedAtMs: number;
}

async function readFolder(fileSystem: FileSystem, folder: string): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Names of the two-digit folders in `folder` that are not below `from`, ascending. */
async function subfolders(fileSystem: FileSystem, folder: string, from: string): Promise<readonly string[]> {
  const names = await readFolder(fileSystem, folder);
  return names.filter((name) => FOLDER_NAME.test(name) && name >= from).sort();
}

/** Sweeps what interrupted writes left where files are written before they get their names. */
async function sweepTempFolder(parts: Pick<FsParts, "fileSystem" | "names" | "sweep">): Promise<void> {
  const { tempFolder } = parts.names;
  for (const name of await readFolder(parts.fileSystem, tempFolder)) {
    await parts.sweep.sweep(tempFolder, name, classifyLeafEntry(name));
  }
}

/** Walks the leaf folders in digest order, from the one of `fromId` (hex) on; yields four-digit keys. If `fromId` is empty it sweeps leftovers of writes first. */
export async function* leafKeys(
  parts: Pick<FsParts, "fileSystem" | "names" | "sweep">,
  fromId: string,
): AsyncGenerator<string, void> {
  if (fromId === "") await sweepTempFolder(parts);
  const firstFrom = fromId.slice(0, 2);
  for (const first of await subfolders(parts.fileSystem, parts.names.chunksFolder, firstFrom)) {
    const secondFrom = first === firstFrom ? fromId.slice(2, 4) : "";
    const folder = join(parts.names.chunksFolder, first);
    for (const second of await subfolders(parts.fileSystem, folder, secondFrom)) yield `${first}${second}`;
  }
}

/** Ids of a leaf folder that come after `afterId`, ascending; sweeps leftovers on the way. */
export async function leafIds(
  parts: Pick<FsParts, "fileSystem" | "names" | "sweep">,
  leafKey: string,
  afterId: string,
): Promise<readonly string[]> {
  const leaf = parts.names.leafFolder(leafKey.slice(0, 2), leafKey.slice(2, 4));
  const ids = new Set<string>();
  for (const name of await readFolder(parts.fileSystem, leaf)) {
    const entry = classifyLeafEntry(name);
    const id = entry.kind === "chunk" ? entry.id : await parts.sweep.sweep(leaf, name, entry);
    if (id?.startsWith(leafKey) && id > afterId) ids.add(id);
  }
  return [...ids].sort();
}

/** Stats the files of some chunks; those that are gone by now are left out. */
export async function statChunks(
  parts: Pick<FsParts, "fileSystem" | "names">,
  ids: readonly string[],
): Promise<readonly LeafChunk[]> {
  const found = await mapConcurrent(ids, STAT_CONCURRENCY, async (id) => {
    const path = join(parts.names.leafFolder(id.slice(0, 2), id.slice(2, 4)), id);
    try {
      const stats = await parts.fileSystem.stat(path);
      return { id, payloadBytes: payloadBytesOf(stats.size) ?? 0, modifiedAtMs: stats.mtimeMs };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  });
  return found.filter((chunk) => chunk !== undefined);
}

/** Lets {@link ChunkUsage} look at the folders. */
export function createUsageScanner(parts: Pick<FsParts, "fileSystem" | "names" | "sweep">): UsageScanner {
  return {
    leafKeys: () => leafKeys(parts, ""),
    async scan(leafKey): Promise<LeafUsage> {
      const chunks = await statChunks(parts, await leafIds(parts, leafKey, ""));
      const bytesUsed = chunks.reduce((sum, chunk) => sum + chunk.payloadBytes, 0);
      return { chunkCount: chunks.length, bytesUsed };
    },
  };
}
