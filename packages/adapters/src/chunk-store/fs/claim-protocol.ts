/**
 * Claim, delete and find: who may remove a chunk's file, and why no acknowledged chunk is lost.
 *
 * PROMISE. A put or claim that was answered keeps the chunk under its name N: no delete of "what is unclaimed for u ms" removes it within u ms, by
 * the clocks of {@link ClaimClock}. A delete with u = 0 looks at no claim.
 *
 * WHO RACES. Nobody within one open store: the chunk's lock separates its claims, writes, deletes and quarantines (reads and walks take no lock). But
 * another store may have the folder open, in this process or in another one, and no lock lies between the two. So the order of steps must be enough:
 *
 *   put         P1 write a temporary file       P2 stamp it               P3 rename(temporary → N), then acknowledged (write-chunk.ts)
 *   claim       C1 open(N), check the file      C2 stamp its inode        C3 lstat(N): still that inode? then acknowledged, else "absent"
 *   delete      D1 lstat(N): old enough?        D2 rename(N → aside)      D3 lstat(aside): still old?   D4 unlink(aside), or put it back
 *   quarantine  Q1 lstat(N): the damaged one?   Q2 rename(N → elsewhere)  Q3 lstat(elsewhere): still the damaged one? If not, put it back
 *   put back    B1 link(aside → N)              B2 unlink(aside)
 *
 * WHAT THE SYSTEM GUARANTEES. A rename is one step: if two renames take the same name, one gets the file and the other ENOENT. A link never replaces
 * a file (EEXIST). A stamp goes to the inode, whatever the inode's name is by then. A name aside is used once (owner and number), so the file under
 * it is the one that its own D2 took. An inode that a process holds open is given to no other file.
 *
 * PROOF. Let F be the inode that was acknowledged. It was under N at P3 or C3, and was stamped before that (P2, C2). Unless another inode takes its
 * place (see below), only the D4 of a delete can unlink F, and only if the D2 of the same delete took F from N.
 *
 * - D2 came after P3 or C3. Then the stamp came before D3. D3 sees it, and F is put back.
 * - D2 came before C3. Then F was under N again at C3: it had been put back. So D4 removes only the name aside of F, not N. (Before P3, F had only
 *   its temporary name.)
 *
 * Another inode G of the same chunk can take F's place: the P3 of a put replaces F, or takes N while F is aside. In the second case B1 fails, and F
 * is removed. (Where there are no links, F is renamed onto G.) F and G have the same whole bytes, and G's stamp is older than F's by no more than the
 * time between G's P2 and P3. G is as durable as its own put asked: stores that share a folder give each other no more than the weakest durability
 * among them. A G with an old stamp can come only from a delete that died, if the sweep puts it back in the microseconds while F is aside. Then F's
 * claim is lost, but not the bytes.
 *
 * A caller that gets "absent" writes the chunk again, under the same name.
 *
 * Quarantine keeps F only if this inode was found damaged by a reader that still holds it open. Any other inode is put back; it stays in quarantine
 * only if the process dies before that. A process that dies between D2 and D4 has not reported the chunk as deleted: {@link findChunk} reads the file
 * aside, and the sweep puts it back (walk-chunks.ts).
 *
 * POWER LOSS. Neither D4 nor B is synced. A deleted chunk may come back: it is then an orphan, and the orphan sweep deletes it again. A file that was
 * aside on the disk is found and put back as above. Stamps are not synced either: see `floorMs` of {@link ClaimClock}.
 *
 * Tests: two-processes.contract.test.ts runs claims and puts of one process against the deletes of another, in all orders.
 */
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { ChunkPresence, DeleteOutcome, Durability, Logger } from "@ashlar/sdk/ports";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import { type ChunkNames, type ChunkPlace, classifyLeafEntry } from "./chunk-names.ts";
import { type OpenedFile, openIfPresent, probeChunk } from "./chunk-reader.ts";
import { type ChunkUsage, type LeafUsage, UNCHANGED } from "./chunk-usage.ts";
import type { ClaimClock } from "./claim-clock.ts";
import {
  errnoOf,
  type FileSystem,
  hasNoLinks,
  identityOf,
  isAbsent,
  kindOf,
  lookAt,
  modifiedAtMs,
  removeIfPresent,
} from "./file-system.ts";
import type { LeafFolders } from "./folder-sync.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import type { AssertHome, BadEntries, DamagedChunks } from "./store-health.ts";
import type { SyncedChunks } from "./synced-chunks.ts";

/** What the protocol works on. */
export interface ClaimParts {
  readonly fileSystem: FileSystem;
  readonly logger: Logger;
  readonly names: ChunkNames;
  /** By chunk id: claim, write, delete and quarantine of one chunk exclude each other. */
  readonly locks: KeyedLock;
  readonly claimClock: ClaimClock;
  readonly synced: SyncedChunks;
  readonly folders: LeafFolders;
  readonly usage: ChunkUsage;
  readonly badEntries: BadEntries;
  readonly damaged: DamagedChunks;
  readonly assertHome: AssertHome;
}

/** Claims a chunk if it is there. A chunk that could not be made durable counts as absent: a caller that has the bytes then writes them again. */
export async function claimChunk(
  parts: ClaimParts,
  place: ChunkPlace,
  durability: Durability,
): Promise<ChunkPresence | undefined> {
  return await parts.locks.run(place.id, async () => {
    const present = await openPresent(parts, place);
    if (present === undefined) return undefined;
    try {
      const claimed = await claimPresent(parts, place, { present, durability });
      return claimed === "claimed" ? { sizeBytes: present.payloadBytes } : undefined;
    } finally {
      await present.handle.close();
    }
  });
}

/** An open chunk file whose footer has been checked. */
export interface PresentChunk {
  readonly handle: FileHandle;
  readonly payloadBytes: number;
  /** Device and inode: the name may belong to another file by now. */
  readonly identity: string;
}

/**
 * Opens the chunk file and checks its footer. A file that fails the check, or an entry that is no file, is quarantined and counts as absent. The
 * caller holds the chunk's lock and closes the handle.
 */
export async function openPresent(parts: ClaimParts, place: ChunkPlace): Promise<PresentChunk | undefined> {
  const opened = await openIfPresent(parts, place, "claim").catch(async (error: unknown) => {
    if (!AshlarError.is(error, "CHUNK_CORRUPT")) throw error;
    await quarantine(parts, place, { identity: undefined, problem: error.message });
    return undefined;
  });
  if (opened === undefined) return undefined;
  const { handle, stats } = opened;
  try {
    const probe = await probeChunk(opened, place.chunkId);
    const identity = identityOf(stats);
    if ("payloadBytes" in probe) return { handle, payloadBytes: probe.payloadBytes, identity };
    await quarantine(parts, place, { identity, problem: probe.problem });
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** `in-doubt`: a sync of the file failed, so its contents do not count. The chunk is written again, or the put fails. */
export type ClaimOutcome = "claimed" | "absent" | "in-doubt";

/**
 * Claims an open chunk, first making it as durable as `durability` asks. The caller holds the chunk's lock.
 *
 * @returns `absent` if another store took the file away meanwhile.
 */
export async function claimPresent(
  parts: ClaimParts,
  place: ChunkPlace,
  { present, durability }: { readonly present: PresentChunk; readonly durability: Durability },
): Promise<ClaimOutcome> {
  if (isSynced(durability) && !parts.synced.has(place.id)) {
    if (parts.synced.isInDoubt(present.identity)) return "in-doubt";
    try {
      await present.handle.datasync();
      await parts.folders.sync(place.leaf);
    } catch (error) {
      parts.synced.doubt(present.identity);
      parts.logger.warn({ error, chunkId: place.id }, "a chunk file could not be synced; it is written anew");
      return "in-doubt";
    }
    parts.synced.add(place.id);
  }
  await stampClaim(parts, present.handle);
  if (isSynced(durability)) await parts.assertHome();
  // C3.
  return (await identityAt(parts, place.path)) === present.identity ? "claimed" : "absent";
}

const MS_PER_SECOND = 1000;

/** Stamps an open chunk file as claimed now. */
export async function stampClaim({ claimClock }: ClaimParts, handle: FileHandle): Promise<void> {
  const seconds = claimClock.stampMs() / MS_PER_SECOND;
  await handle.utimes(seconds, seconds);
}

/** Whether chunk files are synced before an answer in this mode. */
export function isSynced(durability: Durability): boolean {
  // `batched` too: a commit that is synced later, or by chance, must never name a chunk that is not on the disk.
  return durability !== "os";
}

/** The identity of what lies under `path` now; undefined if nothing does. */
async function identityAt(parts: ClaimParts, path: string): Promise<string | undefined> {
  const stats = await lookAt(parts, path);
  return stats && identityOf(stats);
}

/** Which chunks are deleted. */
interface DeleteRule {
  readonly unclaimedForMs: number;
  /** Chunks last claimed before this wall time stay in any case, in ms; undefined: no such bound. */
  readonly keptBeforeMs: number | undefined;
}

/** Deletes a chunk if it has been unclaimed long enough. */
export async function deleteChunk(parts: ClaimParts, place: ChunkPlace, rule: DeleteRule): Promise<DeleteOutcome> {
  return await parts.locks.run(place.id, async () => {
    const { outcome } = await parts.usage.change(place.id, () => deleteUnlocked(parts, place, rule));
    if (outcome !== "claimed") parts.synced.delete(place.id);
    return outcome;
  });
}

const without = ({ size }: BigIntStats): LeafUsage => ({
  chunkCount: -1,
  bytesUsed: -(payloadBytesOf(Number(size)) ?? 0),
});

async function deleteUnlocked(
  parts: ClaimParts,
  place: ChunkPlace,
  { unclaimedForMs, keptBeforeMs = Number.NEGATIVE_INFINITY }: DeleteRule,
): Promise<LeafUsage & { readonly outcome: DeleteOutcome }> {
  const { fileSystem, claimClock } = parts;
  const isOld = (stats: BigIntStats): boolean => claimClock.unclaimedForMs(modifiedAtMs(stats)) >= unclaimedForMs;
  let before: BigIntStats | undefined;
  try {
    before = await lookAt(parts, place.path);
  } catch (error) {
    // The entry stays, and so does its row; the other chunks of the batch must still be deleted.
    parts.badEntries.passOver(place.path, error);
    return { outcome: "claimed", ...UNCHANGED };
  }
  // A chunk is a file. The walks find anything else, and the next put or read sets it aside.
  if (!before?.isFile()) return { outcome: "absent", ...UNCHANGED };
  // The time on the disk. After a power loss it may be too old, and then the chunk is kept.
  if (modifiedAtMs(before) < keptBeforeMs) return { outcome: "claimed", ...UNCHANGED };
  try {
    if (unclaimedForMs === 0) {
      await fileSystem.unlink(place.path);
      return { outcome: "deleted", ...without(before) };
    }
    // D1 to D4.
    if (!isOld(before)) return { outcome: "claimed", ...UNCHANGED };
    const aside = parts.names.deletingPath(place);
    await fileSystem.rename(place.path, aside);
    if (!isOld(await fileSystem.lstat(aside, { bigint: true }))) {
      await restoreChunk(fileSystem, aside, place.path);
      return { outcome: "claimed", ...UNCHANGED };
    }
    await fileSystem.unlink(aside);
    return { outcome: "deleted", ...without(before) };
  } catch (error) {
    if (isAbsent(error)) return { outcome: "absent", ...UNCHANGED };
    throw error;
  }
}

/**
 * Puts a file back under `path` unless something is there: `link` does not replace, so a chunk that was written meanwhile stays with its newer
 * claim.
 */
export async function restoreChunk(fileSystem: FileSystem, aside: string, path: string): Promise<void> {
  try {
    await fileSystem.link(aside, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return;
    if (errno !== "EEXIST") {
      // Both files have the same bytes, so either may win.
      if (!hasNoLinks(error)) throw error;
      return await fileSystem.rename(aside, path);
    }
  }
  await removeIfPresent(fileSystem, aside);
}

/**
 * Opens a chunk for reading, also while another store has it aside, between D2 and D4: a chunk that was freshly claimed must not seem absent for
 * those microseconds. The file may be put back during the search, so the last look is under the chunk's name again.
 */
export async function findChunk(parts: ClaimParts, place: ChunkPlace): Promise<OpenedFile | undefined> {
  const opened = await openIfPresent(parts, place, "read");
  if (opened !== undefined) return opened;
  for (const name of await readLeaf(parts, place.leaf)) {
    const entry = classifyLeafEntry(name);
    if (entry.kind !== "deleting" || entry.id !== place.id) continue;
    const aside = { chunkId: place.chunkId, path: join(place.leaf, name) };
    const found = await openIfPresent(parts, aside, "read");
    if (found !== undefined) return found;
  }
  return await openIfPresent(parts, place, "read");
}

async function readLeaf({ fileSystem }: ClaimParts, leaf: string): Promise<readonly string[]> {
  try {
    return await fileSystem.readdir(leaf);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/**
 * Moves a damaged chunk file, or anything else under its name, to the quarantine folder and keeps it there for inspection. The chunk is then absent
 * and can be written again. The caller holds the chunk's lock, and keeps the damaged file open if it was opened.
 *
 * @param damaged.identity identity of the file that was read; undefined if none could be opened: then only an entry that is no file is moved.
 * @returns whether it was moved: not if something else lies there by now, or nothing.
 */
export async function quarantine(
  parts: ClaimParts,
  place: ChunkPlace,
  damaged: { readonly identity: string | undefined; readonly problem: string },
): Promise<boolean> {
  const { fileSystem, names, usage, logger, synced, damaged: damagedChunks } = parts;
  const found = await lookAt(parts, place.path);
  if (found === undefined) return false;
  const identity = identityOf(found);
  if (damaged.identity === undefined ? found.isFile() : identity !== damaged.identity) return false;
  synced.delete(place.id);
  await fileSystem.mkdir(names.quarantineFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  const aside = names.quarantinePath(place.id);
  let isMoved = false;
  await usage.change(place.id, async () => {
    try {
      await fileSystem.rename(place.path, aside);
    } catch (error) {
      if (isAbsent(error)) return UNCHANGED;
      throw error;
    }
    if ((await identityAt(parts, aside)) !== identity) {
      await restoreChunk(fileSystem, aside, place.path);
      return UNCHANGED;
    }
    const problem = found.isFile() ? damaged.problem : `${kindOf(found)} lay under its name`;
    damagedChunks.count++;
    isMoved = true;
    logger.error({ chunkId: place.id, problem, quarantine: aside }, "quarantined a damaged chunk");
    // An entry that is no file was not counted.
    return found.isFile() ? without(found) : UNCHANGED;
  });
  return isMoved;
}
