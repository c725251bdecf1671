/**
 * Checks chunk files where they lie, down to the last byte, as a scrub does.
 *
 * It takes no lock while it reads, like every reader: a file that another store or process deletes, replaces or puts aside meanwhile is read to its end
 * through the handle. What is found is then judged under the chunk's lock, and only the inode that was read is put aside (Q1 to Q3 of
 * claim-protocol.ts). So a chunk that vanishes or comes anew is no damage.
 */
import { createHash } from "node:crypto";
import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest, decodeDigestHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ScrubbedChunk, ScrubChunkOptions } from "@ashlar/sdk/ports";
import { corruptChunk, verifyBlocks } from "./chunk-format.ts";
import type { ChunkNames, ChunkPlace } from "./chunk-names.ts";
import { COMPARED_BYTES, fill, type OpenedFile, openIfPresent, openTrailer } from "./chunk-reader.ts";
import { type ClaimParts, quarantine } from "./claim-protocol.ts";
import { errnoOf, type FileSystem, identityOf, isAbsent, isShortage, lookAt, mapConcurrent } from "./file-system.ts";

/** Errors that say that the medium does not give the file back. Others, such as EACCES, are not the file's fault, and it stays where it is. */
const MEDIUM_FAILED: ReadonlySet<string> = new Set(["EIO", "EUCLEAN", "EBADMSG", "EILSEQ", "ENODATA", "EREMOTEIO"]);

/** Entries of the quarantine folder that are looked at in one call: its files stay there until an operator deletes them. */
const PUT_ASIDE_MAX = 100_000;
/** `<chunk id>-<owner>-<number>`. */
const PUT_ASIDE_NAME = /^([0-9a-f]{64})-/;
/** As for listings. */
const STAT_CONCURRENCY = 4;

/** See `ScrubbingChunkStore.scrubChunk`. */
export async function scrubChunk(
  parts: ClaimParts,
  place: ChunkPlace,
  options: ScrubChunkOptions | undefined,
): Promise<ScrubbedChunk> {
  let opened: OpenedFile | undefined;
  try {
    opened = await openIfPresent(parts, place, "read");
    if (opened === undefined) return { state: "absent", sizeBytes: 0 };
    return { state: "sound", sizeBytes: await checkWhole(opened, place.chunkId, options) };
  } catch (error) {
    return await judge(parts, place, { opened, error, putAsideUnreadable: options?.putAsideUnreadable ?? false });
  } finally {
    await opened?.handle.close();
  }
}

/** Reads and checks a whole file. @returns its payload size. @throws {AshlarError} CHUNK_CORRUPT. */
async function checkWhole(
  opened: OpenedFile,
  chunkId: Digest,
  options: ScrubChunkOptions | undefined,
): Promise<number> {
  const { payloadBytes, checksums } = await openTrailer(opened, chunkId);
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafeSlow(Math.min(COMPARED_BYTES, payloadBytes));
  for (let offset = 0; offset < payloadBytes; offset += COMPARED_BYTES) {
    throwIfAborted(options?.signal);
    const piece = buffer.subarray(0, payloadBytes - offset);
    await options?.pace?.(piece.byteLength);
    await fill(opened.handle, chunkId, { target: piece, position: offset });
    verifyBlocks(chunkId, piece, { checksums, firstIndex: offset / LIMITS.CHECKSUM_BLOCK_BYTES });
    hash.update(piece);
  }
  // The block checksums may be those of the wrong bytes: of a write that went wrong in memory, or by hand.
  if (!bytesEqual(hash.digest(), chunkId)) throw corruptChunk(chunkId, "the bytes have another digest");
  return payloadBytes;
}

/** What a look that failed says about the chunk. @throws what says nothing about it. */
async function judge(
  parts: ClaimParts,
  place: ChunkPlace,
  failed: { readonly opened: OpenedFile | undefined; readonly error: unknown; readonly putAsideUnreadable: boolean },
): Promise<ScrubbedChunk> {
  const { opened, error } = failed;
  if (AshlarError.is(error, "CHUNK_CORRUPT")) {
    const problem = error.details.problem ?? error.message;
    return await putAside(parts, place, { identity: opened && identityOf(opened.stats), problem });
  }
  const errno = AshlarError.is(error) ? undefined : errnoOf(error);
  if (errno === undefined || isShortage(error)) throw error;
  if (isAbsent(error)) return { state: "absent", sizeBytes: 0 };
  const problem = `it cannot be read: ${errno}`;
  const unreadable: ScrubbedChunk = { state: "unreadable", sizeBytes: 0, problem };
  if (!failed.putAsideUnreadable || !MEDIUM_FAILED.has(errno)) return unreadable;
  try {
    const found = opened?.stats ?? (await lookAt(parts, place.path));
    if (found === undefined) return { state: "absent", sizeBytes: 0 };
    return await putAside(parts, place, { identity: identityOf(found), problem });
  } catch (thrown) {
    // The folder cannot be read or written either.
    if (errnoOf(thrown) === undefined || isShortage(thrown)) throw thrown;
    return unreadable;
  }
}

async function putAside(
  parts: ClaimParts,
  place: ChunkPlace,
  damaged: { readonly identity: string | undefined; readonly problem: string },
): Promise<ScrubbedChunk> {
  const isOurs = await parts.locks.run(place.id, () => quarantine(parts, place, damaged));
  // Else somebody deleted or replaced it, or a reader met the damage first and has told it.
  return isOurs ? { state: "damaged", sizeBytes: 0, problem: damaged.problem } : { state: "absent", sizeBytes: 0 };
}

/** Chunks that lie in the quarantine folder and nowhere else, ascending. */
export async function lostChunks(parts: {
  readonly fileSystem: FileSystem;
  readonly names: ChunkNames;
}): Promise<readonly Digest[]> {
  const { fileSystem, names } = parts;
  let entries: readonly string[];
  try {
    entries = await fileSystem.readdir(names.quarantineFolder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  const ids = new Set<string>();
  for (const name of entries.slice(0, PUT_ASIDE_MAX)) {
    const id = PUT_ASIDE_NAME.exec(name)?.[1];
    if (id !== undefined) ids.add(id);
  }
  const chunkIds = [...ids].sort().map(decodeDigestHex);
  const lost = await mapConcurrent(chunkIds, STAT_CONCURRENCY, async (chunkId) => {
    const found = await lookAt(parts, names.place(chunkId).path);
    return found === undefined ? chunkId : undefined;
  });
  return lost.filter((chunkId) => chunkId !== undefined).slice(0, LIMITS.LIST_LIMIT_MAX);
}
