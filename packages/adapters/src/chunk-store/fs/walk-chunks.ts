import { join, relative } from "node:path";
import { throwIfAborted } from "@ashlar/sdk/errors";
import { type Digest, decodeDigestHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ChunkPage, Clock, ListChunksOptions, Logger, StrayEntry } from "@ashlar/sdk/ports";
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
  const onStray = options?.onStray;
  for await (const leafKey of leafKeys(parts, after, onStray)) {
    throwIfAborted(options?.signal);
    ids.push(...(await leafIds(parts, leafKey, after, onStray)));
    // One more than asked for shows that there is a next page.
    if (ids.length > limit) break;
  }
  const pageIds = ids.slice(0, limit);
  const found = await statChunks(parts, pageIds, onStray);
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
async function* leafKeys(parts: WalkParts, fromId: string, onStray?: OnStray): AsyncGenerator<string, void> {
  const { chunksFolder, tempFolder } = parts.names;
  if (fromId === "") for (const name of await readFolder(parts, tempFolder)) await sweepEntry(parts, tempFolder, name);
  const firstFrom = fromId.slice(0, 2);
  const top = await readTop(parts);
  if (fromId === "") tellStrays(parts, { folder: chunksFolder, names: top, onStray });
  for (const first of subfolders(top, firstFrom)) {
    const folder = join(chunksFolder, first);
    const secondFrom = first === firstFrom ? fromId.slice(2, 4) : "";
    const names = await readFolder(parts, folder, secondFrom === "" ? onStray : undefined);
    if (secondFrom === "") tellStrays(parts, { folder, names, onStray });
    for (const second of subfolders(names, secondFrom)) yield `${first}${second}`;
  }
}

type OnStray = ((entry: StrayEntry) => void) | undefined;

/** Names of a disk's own, in the folder that may be its root. */
const NO_STRAYS: ReadonlySet<string> = new Set(["tmp", "lost+found"]);

/** Tells what lies beside the two-digit folders. */
function tellStrays(
  { names: { root, chunksFolder } }: WalkParts,
  { folder, names, onStray }: { readonly folder: string; readonly names: readonly string[]; readonly onStray: OnStray },
): void {
  if (onStray === undefined) return;
  for (const name of names) {
    if (FOLDER_NAME.test(name) || (folder === chunksFolder && NO_STRAYS.has(name))) continue;
    onStray({ path: relative(root, join(folder, name)), problem: strayProblem(name) });
  }
}

function strayProblem(name: string): string {
  return classifyLeafEntry(name).kind === "chunk" ? "a chunk's file in the wrong folder" : "no chunk has such a name";
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
async function readFolder(parts: WalkParts, folder: string, onStray?: OnStray): Promise<readonly string[]> {
  try {
    return await parts.fileSystem.readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    passOver(parts, folder, {
      why: errnoOf(error) === "ENOTDIR" ? "a file lies where a folder belongs" : error,
      onStray,
    });
    return [];
  }
}

/** Remembers an entry that hides what it should show, and tells of it. @throws `why` if it says nothing about the entry. */
function passOver(
  { badEntries, names: { root } }: WalkParts,
  path: string,
  { why, onStray, chunkId }: { readonly why: unknown; readonly onStray: OnStray; readonly chunkId?: Digest },
): void {
  badEntries.passOver(path, why);
  const problem = typeof why === "string" ? why : `it cannot be looked at: ${errnoOf(why)}`;
  onStray?.({ path: relative(root, path), problem, chunkId });
}

/** Ids of a leaf folder that come after `afterId`, ascending; sweeps leftovers on the way. */
async function leafIds(
  parts: WalkParts,
  leafKey: string,
  afterId: string,
  onStray?: OnStray,
): Promise<readonly string[]> {
  const leaf = parts.names.leafFolder(leafKey.slice(0, 2), leafKey.slice(2, 4));
  // The page before has told of those in the folder where it ended.
  const tell = afterId.startsWith(leafKey) ? undefined : onStray;
  const ids = new Set<string>();
  for (const name of await readFolder(parts, leaf, tell)) {
    const id = await sweepEntry(parts, leaf, name);
    if (id?.startsWith(leafKey) && id > afterId) ids.add(id);
    const isStray = id === undefined ? classifyLeafEntry(name).kind === "foreign" : !id.startsWith(leafKey);
    if (isStray) tell?.({ path: relative(parts.names.root, join(leaf, name)), problem: strayProblem(name) });
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
async function statChunks(parts: WalkParts, ids: readonly string[], onStray?: OnStray): Promise<readonly LeafChunk[]> {
  const hide = (id: string, path: string, why: unknown): void =>
    passOver(parts, path, { why, onStray, chunkId: decodeDigestHex(id) });
  const found = await mapConcurrent(ids, STAT_CONCURRENCY, async (id) => {
    const path = join(parts.names.leafFolder(id.slice(0, 2), id.slice(2, 4)), id);
    try {
      const stats = await lookAt(parts, path);
      if (stats?.isFile()) {
        return { id, payloadBytes: payloadBytesOf(Number(stats.size)) ?? 0, modifiedAtMs: modifiedAtMs(stats) };
      }
      if (stats !== undefined) hide(id, path, `${kindOf(stats)} lies where a chunk's file belongs`);
    } catch (error) {
      hide(id, path, error);
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
