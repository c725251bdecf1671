import { join } from "node:path";
import { mapConcurrent } from "../../internal/map-concurrent.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import { classifyLeafEntry } from "./chunk-names.ts";
import type { LeafUsage, UsageScanner } from "./chunk-usage.ts";
import { errnoOf } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { kindOf, lookAt, modifiedAtMs } from "./look-at.ts";

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

/** What a walk over the folders needs. */
type WalkParts = Pick<FsParts, "fileSystem" | "names" | "sweep" | "badEntries">;

/** Names in a folder below `chunks`; none in one that cannot be read, which is passed over. */
async function readFolder({ fileSystem, badEntries }: WalkParts, folder: string): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    badEntries.passOver(folder, errnoOf(error) === "ENOTDIR" ? "a file lies where a folder belongs" : error);
    return [];
  }
}

/** The names of two-digit folders among `names` that are not below `from`, ascending. */
function subfolders(names: readonly string[], from: string): readonly string[] {
  return names.filter((name) => FOLDER_NAME.test(name) && name >= from).sort();
}

/** Names in `chunks`. If that cannot be read, nothing of the store can: a failure is one. */
async function readTop({ fileSystem, names }: WalkParts): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(names.chunksFolder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Sweeps what interrupted writes left where files are written before they get their names. */
async function sweepTempFolder(parts: WalkParts): Promise<void> {
  const { tempFolder } = parts.names;
  for (const name of await readFolder(parts, tempFolder)) await sweepEntry(parts, tempFolder, name);
}

/** @returns the id of a chunk that lies there, or has come back. */
async function sweepEntry(parts: WalkParts, folder: string, name: string): Promise<string | undefined> {
  const entry = classifyLeafEntry(name);
  if (entry.kind === "chunk") return entry.id;
  try {
    return await parts.sweep.sweep(folder, name, entry);
  } catch (error) {
    parts.badEntries.passOver(join(folder, name), error);
    return undefined;
  }
}

/** Walks the leaf folders in digest order, from the one of `fromId` (hex) on; yields four-digit keys. If `fromId` is empty it sweeps leftovers of writes first. */
export async function* leafKeys(parts: WalkParts, fromId: string): AsyncGenerator<string, void> {
  if (fromId === "") await sweepTempFolder(parts);
  const firstFrom = fromId.slice(0, 2);
  for (const first of subfolders(await readTop(parts), firstFrom)) {
    const secondFrom = first === firstFrom ? fromId.slice(2, 4) : "";
    const folder = join(parts.names.chunksFolder, first);
    for (const second of subfolders(await readFolder(parts, folder), secondFrom)) yield `${first}${second}`;
  }
}

/** Ids of a leaf folder that come after `afterId`, ascending; sweeps leftovers on the way. */
export async function leafIds(parts: WalkParts, leafKey: string, afterId: string): Promise<readonly string[]> {
  const leaf = parts.names.leafFolder(leafKey.slice(0, 2), leafKey.slice(2, 4));
  const ids = new Set<string>();
  for (const name of await readFolder(parts, leaf)) {
    const id = await sweepEntry(parts, leaf, name);
    if (id?.startsWith(leafKey) && id > afterId) ids.add(id);
  }
  return [...ids].sort();
}

/** Stats the files of some chunks; those that are gone by now are left out, and bad entries passed over. */
export async function statChunks(parts: WalkParts, ids: readonly string[]): Promise<readonly LeafChunk[]> {
  const found = await mapConcurrent(ids, STAT_CONCURRENCY, async (id) => {
    const path = join(parts.names.leafFolder(id.slice(0, 2), id.slice(2, 4)), id);
    try {
      const stats = await lookAt(parts, path);
      if (stats?.isFile()) {
        return { id, payloadBytes: payloadBytesOf(Number(stats.size)) ?? 0, modifiedAtMs: modifiedAtMs(stats) };
      }
      if (stats !== undefined) parts.badEntries.passOver(path, `${kindOf(stats)} lies where a chunk's file belongs`);
    } catch (error) {
      parts.badEntries.passOver(path, error);
    }
    return undefined;
  });
  return found.filter((chunk) => chunk !== undefined);
}

/** Lets {@link ChunkUsage} look at the folders. */
export function createUsageScanner(parts: WalkParts): UsageScanner {
  return {
    leafKeys: () => leafKeys(parts, ""),
    async scan(leafKey): Promise<LeafUsage> {
      const chunks = await statChunks(parts, await leafIds(parts, leafKey, ""));
      const bytesUsed = chunks.reduce((sum, chunk) => sum + chunk.payloadBytes, 0);
      return { chunkCount: chunks.length, bytesUsed };
    },
  };
}
