import { join } from "node:path";
import { throwIfAborted } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ChunkPage, Clock, ListChunksOptions, Logger } from "@ashlar/sdk/ports";
import { decodeChunkCursor } from "../../internal/chunk-request.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import { type ChunkNames, classifyLeafEntry, type LeafEntry, type Owner } from "./chunk-names.ts";
import type { LeafUsage, UsageScanner } from "./chunk-usage.ts";
import type { ClaimClock } from "./claim-clock.ts";
import { restoreChunk } from "./claim-protocol.ts";
import {
  errnoOf,
  type FileSystem,
  isAbsent,
  kindOf,
  lookAt,
  mapConcurrent,
  modifiedAtMs,
  removeIfPresent,
} from "./file-system.ts";
import type { BadEntries } from "./store-health.ts";

const FOLDER_NAME = /^[0-9a-f]{2}$/;
/** Calls of `stat` at once: libuv has four threads for all file calls of the process. */
const STAT_CONCURRENCY = 4;
/** A leftover whose owner cannot be asked is left alone this long; every write touches its temporary file more often. */
const UNKNOWN_OWNER_GRACE_MS = 3600 * 1000;

/** What a walk over the folders needs. */
export interface WalkParts {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly names: ChunkNames;
  readonly owner: Owner;
  readonly badEntries: BadEntries;
}

/**
 * Lists chunks in digest order, reading only the folders that the page needs.
 *
 * A damaged file is listed too (with 0 bytes if its length is impossible), so that a sweep that lists chunks can delete it. Chunks deleted
 * during the call are left out, so a page may be shorter than its limit and still have a cursor.
 */
export async function listChunks(
  parts: WalkParts & { readonly claimClock: ClaimClock },
  options: ListChunksOptions | undefined,
): Promise<ChunkPage> {
  const after = decodeChunkCursor(options?.cursor);
  const limit = options?.limit ?? LIMITS.LIST_LIMIT_DEFAULT;
  const ids: string[] = [];
  for await (const leafKey of leafKeys(parts, after)) {
    throwIfAborted(options?.signal);
    ids.push(...(await leafIds(parts, leafKey, after)));
    // One more than asked for shows that there is a next page.
    if (ids.length > limit) break;
  }
  const pageIds = ids.slice(0, limit);
  const found = await statChunks(parts, pageIds);
  const chunks = found.map((chunk) => ({
    chunkId: decodeDigestHex(chunk.id),
    sizeBytes: chunk.payloadBytes,
    unclaimedForMs: parts.claimClock.unclaimedForMs(chunk.modifiedAtMs),
  }));
  return ids.length > limit ? { chunks, nextCursor: pageIds.at(-1) } : { chunks };
}

/** Lets `ChunkUsage` look at the folders. */
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

/**
 * Walks the leaf folders in digest order, from the one of `fromId` (hex) on; yields four-digit keys. If `fromId` is empty, it sweeps leftovers of
 * writes first.
 */
async function* leafKeys(parts: WalkParts, fromId: string): AsyncGenerator<string, void> {
  const { chunksFolder, tempFolder } = parts.names;
  if (fromId === "") for (const name of await readFolder(parts, tempFolder)) await sweepEntry(parts, tempFolder, name);
  const firstFrom = fromId.slice(0, 2);
  for (const first of subfolders(await readTop(parts), firstFrom)) {
    const secondFrom = first === firstFrom ? fromId.slice(2, 4) : "";
    for (const second of subfolders(await readFolder(parts, join(chunksFolder, first)), secondFrom))
      yield `${first}${second}`;
  }
}

/** The names of two-digit folders among `names` that are not below `from`, ascending. */
function subfolders(names: readonly string[], from: string): readonly string[] {
  return names.filter((name) => FOLDER_NAME.test(name) && name >= from).sort();
}

/** Names in `chunks`. If that folder cannot be read, no chunk can: the call fails. */
async function readTop({ fileSystem, names }: WalkParts): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(names.chunksFolder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Names in a folder below `chunks`. A folder that cannot be read is passed over, and gives no names. */
async function readFolder({ fileSystem, badEntries }: WalkParts, folder: string): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    badEntries.passOver(folder, errnoOf(error) === "ENOTDIR" ? "a file lies where a folder belongs" : error);
    return [];
  }
}

/** Ids of a leaf folder that come after `afterId`, ascending; sweeps leftovers on the way. */
async function leafIds(parts: WalkParts, leafKey: string, afterId: string): Promise<readonly string[]> {
  const leaf = parts.names.leafFolder(leafKey.slice(0, 2), leafKey.slice(2, 4));
  const ids = new Set<string>();
  for (const name of await readFolder(parts, leaf)) {
    const id = await sweepEntry(parts, leaf, name);
    if (id?.startsWith(leafKey) && id > afterId) ids.add(id);
  }
  return [...ids].sort();
}

/** One chunk file of a leaf folder. */
interface LeafChunk {
  readonly id: string;
  readonly payloadBytes: number;
  /** When it was last claimed, wall time in ms. */
  readonly modifiedAtMs: number;
}

/** Stats the files of some chunks; those that are gone by now are left out, and bad entries passed over. */
async function statChunks(parts: WalkParts, ids: readonly string[]): Promise<readonly LeafChunk[]> {
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

/** Sweeps an entry if it is a leftover. @returns the id of a chunk that lies there, or has come back. */
async function sweepEntry(parts: WalkParts, folder: string, name: string): Promise<string | undefined> {
  const entry = classifyLeafEntry(name);
  if (entry.kind === "chunk") return entry.id;
  if (entry.kind === "foreign") return undefined;
  try {
    return await sweepLeftover(parts, { folder, name }, entry);
  } catch (error) {
    parts.badEntries.passOver(join(folder, name), error);
    return undefined;
  }
}

/**
 * Clears what interrupted calls left: temporary files, in leaf folders too where earlier releases wrote them, and chunks set aside.
 *
 * A temporary file is removed. A chunk that was set aside for deletion is put back, because its deletion was never reported and it may have been
 * claimed. Both happen only if the owner is dead, or is unknown and the file was not touched for an hour: other processes may have the folder open.
 * An owner that is wrongly taken for dead loses one upload, which fails with a typed error, and nothing else.
 *
 * @returns the id of a chunk that came back.
 */
async function sweepLeftover(
  parts: WalkParts,
  { folder, name }: { readonly folder: string; readonly name: string },
  entry: Extract<LeafEntry, { readonly owner: string }>,
): Promise<string | undefined> {
  const path = join(folder, name);
  if (!(await isAbandoned(parts, path, entry.owner))) return undefined;
  parts.logger.warn({ folder, leftover: name }, "sweeping what an interrupted call left behind");
  if (entry.kind === "temp") {
    await removeIfPresent(parts.fileSystem, path);
    return undefined;
  }
  await restoreChunk(parts.fileSystem, path, join(folder, entry.id));
  return entry.id;
}

async function isAbandoned(parts: WalkParts, path: string, ownerToken: string): Promise<boolean> {
  const state = parts.owner.stateOf(ownerToken);
  if (state !== "unknown") return state === "dead";
  try {
    // The change time: renames and claims move it too, and nobody can set it.
    const { ctimeMs } = await parts.fileSystem.stat(path);
    return parts.clock.nowMs() - ctimeMs > UNKNOWN_OWNER_GRACE_MS;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
