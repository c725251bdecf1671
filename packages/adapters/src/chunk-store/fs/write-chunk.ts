import type { FileHandle } from "node:fs/promises";
import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest } from "@ashlar/sdk/hash";
import type { BytesProgress, Durability, PutChunkOptions, PutChunkResult, Tracer } from "@ashlar/sdk/ports";
import { inSpan } from "@ashlar/sdk/tracing";
import { PRIVATE_FILE_MODE } from "../../internal/private-files.ts";
import { nodeCryptoHasher } from "../../internal/sha256.ts";
import { ChunkFileWriter } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { compareChunk, type IncomingContent } from "./chunk-reader.ts";
import { UNCHANGED } from "./chunk-usage.ts";
import {
  type ClaimOutcome,
  type ClaimParts,
  claimPresent,
  isSynced,
  openPresent,
  type PresentChunk,
  quarantine,
  stampClaim,
} from "./claim-protocol.ts";
import { identityOf, isAbsent, isNoFile, removeIfPresent } from "./file-system.ts";
import { assertRoom, type DiskReserve } from "./store-health.ts";

/** Bytes per write call of a chunk in memory. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** What a put needs. */
export interface PutParts extends ClaimParts, DiskReserve {
  readonly buffers: StreamBuffers;
  readonly step: FsStep;
}

/** Options of a put, with the durability that applies to it. */
export interface PutOptions extends PutChunkOptions {
  readonly durability: Durability;
}

/** Puts a chunk that is in memory: claims it if it is there, and writes it otherwise. Hashes the bytes meanwhile. */
export async function putBytes(
  parts: PutParts,
  { place, bytes }: { readonly place: ChunkPlace; readonly bytes: Uint8Array },
  options: PutOptions,
): Promise<PutChunkResult> {
  return await parts.locks.run(place.id, async () => {
    throwIfAborted(options.signal);
    const digestRight = options.digestVerified === true ? undefined : checkDigest(place.chunkId, bytes);
    const sizeBytes = bytes.byteLength;
    const found = await claimIfSame(parts, place, { incoming: { sizeBytes, bytes }, digestRight, options });
    if (found !== "claimed") {
      await assertRoom(parts, sizeBytes);
      await withTemp(parts, async (temp) => {
        await parts.step("write", async () => {
          for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
            throwIfAborted(options.signal);
            await temp.writer.append(bytes.subarray(offset, offset + PIECE_BYTES));
          }
          await temp.writer.finish(place.chunkId);
        });
        await digestRight;
        await syncTemp(parts, temp, options);
        await publish(parts, place, { temp, replaces: found === "in-doubt", options });
        return true;
      });
    }
    options.onProgress?.(sizeBytes);
    return { sizeBytes, alreadyPresent: found === "claimed" };
  });
}

/**
 * Puts a chunk that comes in pieces: writes it to a temporary file first, and drops that if the chunk is there already.
 *
 * The lock is taken only after the last piece: a slow source must not block other callers from this chunk.
 */
export async function putStream(
  parts: PutParts,
  { place, source }: { readonly place: ChunkPlace; readonly source: AsyncIterable<Uint8Array> },
  options: PutOptions,
): Promise<PutChunkResult> {
  await assertRoom(parts, 0);
  let result: PutChunkResult | undefined;
  await withTemp(parts, async (temp) => {
    const { writer } = temp;
    await parts.step("write", async () => {
      const digest = await writeStream(source, writer, { buffers: parts.buffers, onProgress: options.onProgress });
      assertDigest(place.chunkId, digest);
      await writer.finish(place.chunkId);
    });
    const { sizeBytes, checksums } = writer;
    await syncTemp(parts, temp, options);
    return await parts.locks.run(place.id, async () => {
      const incoming = { sizeBytes, checksums };
      const found = await claimIfSame(parts, place, { incoming, digestRight: undefined, options });
      const alreadyPresent = found === "claimed";
      if (!alreadyPresent) await publish(parts, place, { temp, replaces: found === "in-doubt", options });
      result = { sizeBytes, alreadyPresent };
      return !alreadyPresent;
    });
  });
  return result as PutChunkResult;
}

/** Hashes during the write. Claims and the rename of the chunk wait for the promise first. @throws {AshlarError} CHUNK_DIGEST_MISMATCH */
function checkDigest(chunkId: Digest, bytes: Uint8Array): Promise<void> {
  const digestRight = nodeCryptoHasher.digest(bytes).then((digest) => assertDigest(chunkId, digest));
  // The caller may await it only after it has failed.
  digestRight.catch(() => {});
  return digestRight;
}

function assertDigest(chunkId: Digest, digest: Digest): void {
  if (bytesEqual(chunkId, digest)) return;
  throw new AshlarError("CHUNK_DIGEST_MISMATCH", "the bytes do not have the chunk id as their SHA-256");
}

/** What a put brings when it looks for its chunk. */
interface Wanted {
  readonly incoming: IncomingContent;
  /** Rejects if the bytes are not the chunk's. */
  readonly digestRight: Promise<void> | undefined;
  readonly options: PutOptions;
}

/** Claims the chunk if it is there whole, and can be made as durable as asked. The bytes are checked first: wrong bytes must not claim anything. */
async function claimIfSame(parts: PutParts, place: ChunkPlace, wanted: Wanted): Promise<ClaimOutcome> {
  const present = await openPresent(parts, place);
  if (present === undefined) return "absent";
  try {
    await wanted.digestRight;
    const { durability, signal } = wanted.options;
    throwIfAborted(signal);
    if (!(await holdsSame(parts, place, { present, ...wanted }))) return "absent";
    return await claimPresent(parts, place, { present, durability });
  } finally {
    await present.handle.close();
  }
}

/**
 * Whether the file holds what a put brings; a file that does not is quarantined. The put has the right bytes, so it must not be answered with a copy
 * that nobody can read.
 */
async function holdsSame(
  parts: PutParts,
  place: ChunkPlace,
  { present, incoming, options }: Wanted & { readonly present: PresentChunk },
): Promise<boolean> {
  const { signal } = options;
  try {
    await compareChunk(present, place.chunkId, { ...incoming, signal });
    return true;
  } catch (error) {
    if (!AshlarError.is(error, "CHUNK_CORRUPT")) throw error;
    // After an abort has rejected, the caller may have changed its bytes: then the bytes are wrong, not the file.
    throwIfAborted(signal);
    const problem = error.details.problem ?? error.message;
    await quarantine(parts, place, { identity: present.identity, problem });
    return false;
  }
}

/** A chunk file that is being written under a temporary name. */
interface TempChunk {
  readonly path: string;
  readonly handle: FileHandle;
  readonly writer: ChunkFileWriter;
}

/**
 * Runs `use` with a new temporary file, in the same way for every chunk. The file is removed afterwards unless `use` gave it its name.
 *
 * @param use returns true if it published the file.
 */
async function withTemp(parts: PutParts, use: (temp: TempChunk) => Promise<boolean>): Promise<void> {
  const temp = await openTemp(parts);
  let published = false;
  try {
    published = await use(temp);
  } finally {
    await temp.handle.close();
    // A published file no longer has this name. After a failure that follows the rename, nothing is under it either.
    if (!published) await removeTemp(parts, temp.path);
  }
}

const hasNoFolder = (error: unknown): boolean => isAbsent(error) || isNoFile(error);

async function openTemp(parts: PutParts): Promise<TempChunk> {
  const path = parts.names.tempPath();
  await parts.folders.ensure(parts.names.tempFolder);
  try {
    const handle = await parts.fileSystem.open(path, "wx", PRIVATE_FILE_MODE);
    return { path, handle, writer: new ChunkFileWriter(handle) };
  } catch (error) {
    // Another process removed the folder, or put something in its place: make it again, once.
    if (!hasNoFolder(error) || !parts.folders.forget(parts.names.tempFolder)) throw error;
    return await openTemp(parts);
  }
}

/** Never throws: the error of the write must reach the caller, and the sweep finds what is left here. */
async function removeTemp(parts: PutParts, path: string): Promise<void> {
  try {
    await removeIfPresent(parts.fileSystem, path);
  } catch (error) {
    parts.logger.warn({ error, path }, "could not remove a temporary file");
  }
}

async function syncTemp(parts: PutParts, { handle }: TempChunk, { durability }: PutOptions): Promise<void> {
  if (isSynced(durability)) await parts.step("fsync", () => handle.datasync());
}

/**
 * Gives a complete temporary file its name, claimed and as durable as asked: P2 and P3 of the protocol in claim-protocol.ts. The caller holds the
 * chunk's lock.
 *
 * The check of `signal` is the last step before the rename: after an abort has rejected, the caller may change its bytes, and then they must not
 * become visible. From the rename on, an abort comes too late and the chunk stays.
 */
async function publish(
  parts: PutParts,
  place: ChunkPlace,
  file: {
    readonly temp: TempChunk;
    /** A file of the same chunk lies there and is counted; the rename replaces it. */
    readonly replaces: boolean;
    readonly options: PutOptions;
  },
): Promise<void> {
  const { temp, replaces, options } = file;
  // The file takes up its room by now, and so do those of other writers: nobody publishes into the reserve.
  await assertRoom(parts, 0);
  // Not earlier: only now are the bytes known to be the chunk's.
  await parts.folders.ensure(place.leaf);
  await stampClaim(parts, temp.handle);
  throwIfAborted(options.signal);
  await parts.usage.change(place.id, async () => {
    await renameInto(parts, place, temp.path);
    return replaces ? UNCHANGED : { chunkCount: 1, bytesUsed: temp.writer.sizeBytes };
  });
  if (!isSynced(options.durability)) return;
  try {
    await parts.step("fsync_folder", () => parts.folders.sync(place.leaf));
  } catch (error) {
    // The file stays: another process may have put the same chunk, and got the answer that it is there. The next put writes it again.
    parts.synced.doubt(identityOf(await temp.handle.stat({ bigint: true })));
    throw error;
  }
  parts.synced.add(place.id);
  await parts.assertHome();
}

async function renameInto(parts: PutParts, place: ChunkPlace, tempPath: string): Promise<void> {
  try {
    await parts.step("rename", () => parts.fileSystem.rename(tempPath, place.path));
  } catch (error) {
    // As in openTemp.
    if (!hasNoFolder(error) || !parts.folders.forget(place.leaf)) throw error;
    await parts.folders.ensure(place.leaf);
    await renameInto(parts, place, tempPath);
  }
}

/**
 * Writes a stream to a chunk file while hashing it: one buffer fills and is hashed while the other is being written.
 *
 * Pieces are copied, so the source may reuse them. Memory: two buffers of 1 MiB, whatever the pieces' sizes.
 *
 * @returns the digest of everything that the source gave.
 */
async function writeStream(
  source: AsyncIterable<Uint8Array>,
  writer: ChunkFileWriter,
  { buffers, onProgress }: { readonly buffers: StreamBuffers; readonly onProgress: BytesProgress | undefined },
): Promise<Digest> {
  const hash = nodeCryptoHasher.incremental();
  let filling = buffers.take();
  let spare = buffers.take();
  let filledBytes = 0;
  let writing = Promise.resolve();
  const flush = async (): Promise<void> => {
    const full = filling.subarray(0, filledBytes);
    hash.update(full);
    await writing;
    onProgress?.(writer.sizeBytes);
    writing = writer.append(full);
    // Its failure is handled by the next flush, or at the end.
    writing.catch(() => {});
    [filling, spare] = [spare, filling];
    filledBytes = 0;
  };
  try {
    for await (const piece of source) {
      for (let offset = 0; offset < piece.byteLength; ) {
        const part = piece.subarray(offset, offset + BUFFER_BYTES - filledBytes);
        filling.set(part, filledBytes);
        filledBytes += part.byteLength;
        offset += part.byteLength;
        if (filledBytes === BUFFER_BYTES) await flush();
      }
    }
    if (filledBytes > 0) await flush();
  } finally {
    // The buffers may be given away only when no write reads them any more.
    await writing.catch(() => {});
    buffers.give(filling);
    buffers.give(spare);
  }
  await writing;
  onProgress?.(writer.sizeBytes);
  return hash.digest();
}

/** Bytes per write call: fewer calls, and two of these buffers are all that a stream holds. */
const BUFFER_BYTES = 1024 * 1024;
/** Idle buffers kept for the next stream; fresh ones cost page faults. */
const IDLE_BUFFERS_MAX = 8;

/** Buffers that streams use one after another. */
export class StreamBuffers {
  readonly #idle: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#idle.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(BUFFER_BYTES).buffer);
  }

  give(buffer: Uint8Array): void {
    if (this.#idle.length < IDLE_BUFFERS_MAX) this.#idle.push(buffer);
  }
}

/** Runs one step of work on files; with a tracer, the step becomes a span. */
type FsStep = <T>(name: "write" | "fsync" | "rename" | "fsync_folder", work: () => Promise<T>) => Promise<T>;

/** Steps as spans called `file.<step>`; without a tracer the work runs as it is. */
export function fsSteps(tracer: Tracer | undefined): FsStep {
  return (name, work) => inSpan(tracer, { name: `file.${name}` }, work);
}
