import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import type { Chunker } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, encodeHex } from "@ashlar/sdk/hash";
import { KIB, LIMITS } from "@ashlar/sdk/limits";
import type { ChunkRef, ChunkStore, ObjectEngine, ObjectInfo } from "@ashlar/sdk/ports";
import type { RecordedObject, WholeRecord } from "./record.ts";
import { type ObjectProblem, UNREADABLE_LISTED } from "./run-backup.ts";

/** What {@link restoreBackup} takes. */
export interface RestoreOptions {
  readonly engine: ObjectEngine;
  readonly record: WholeRecord;
  readonly chunks: Pick<ChunkStore, "getChunk">;
  /** Only this bucket; default: all. */
  readonly bucket: string | undefined;
  /** Only keys that begin with it; default: all. */
  readonly prefix: string | undefined;
  /** Whether objects that differ from the backup are replaced. */
  readonly overwrite: boolean;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  /** An object with more chunks than this is restored as an upload in parts; default COMMIT_CHUNKS_MAX, which gateways take at most. */
  readonly commitChunksMax?: number | undefined;
}

/** What a restore did. */
export interface RestoreOutcome {
  readonly name: string;
  readonly bucketsMade: number;
  readonly objectsRestored: number;
  readonly bytesRestored: number;
  /** Objects that were there already, with these bytes and attributes. */
  readonly objectsPresent: number;
  /** Restored objects whose etag is another one: they were put together from parts. */
  readonly etagsChanged: number;
  /** Objects that the backup does not have, because its store could not read them. */
  readonly unreadable: number;
  /** Objects that have other bytes or attributes and were left alone. */
  readonly conflicts: Told;
  /** Objects whose chunks are missing or damaged in the folder: they were not written. */
  readonly damaged: Told;
}

/** Counted problems, of which the first are told. */
export interface Told {
  readonly count: number;
  readonly listed: readonly ObjectProblem[];
}

/** Small objects that are restored at once: their round trips take the time. */
const SMALL_LANES = 8;
const SMALL_BYTES = 8 * 1024 * KIB;
/** Chunks of one part. Parts are cut anew at the default size: as many bytes of it fit into one commit. */
const PART_CHUNKS = 4096;
const PART_BYTES = 4096 * LIMITS.CHUNK_DEFAULT_BYTES;

/**
 * Brings the objects of a backup into a store, through the engine of any seat. What is there already with the same bytes and attributes is passed over, so
 * a restore that was interrupted goes on; what is there and differs stays, unless it may be overwritten. An object is written whole or not at all.
 *
 * Kept: bytes, key, attributes, durability, SHA-256, and the etag of what was written in one go. New: time of creation and object version.
 *
 * Memory: as a put: `concurrency` chunks, or SMALL_LANES objects of SMALL_BYTES; and the chunk list of one object, or of one part.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreOutcome> {
  const { record, bucket: onlyBucket, prefix = "", signal } = options;
  const restore = createRestore(options);
  const queue: Promise<void>[] = [];
  const drain = async (count: number): Promise<void> => {
    while (queue.length > count) await queue.shift();
  };
  try {
    for await (const entry of record.entries()) {
      if (onlyBucket !== undefined && entry.bucket !== onlyBucket) continue;
      if (entry.kind === "bucket") await restore.bucket(entry.bucket);
      else if (entry.kind === "unreadable") restore.did.unreadable += entry.key.startsWith(prefix) ? 1 : 0;
      else if (entry.object.key.startsWith(prefix)) {
        signal.throwIfAborted();
        if (entry.object.sizeBytes > SMALL_BYTES) {
          await drain(0);
          await restore.object(entry.bucket, entry.object, entry.chunks());
        } else {
          await drain(SMALL_LANES - 1);
          const lines: ChunkRef[][] = [];
          for await (const line of entry.chunks()) lines.push([...line]);
          const restoring = restore.object(entry.bucket, entry.object, lines.values());
          restoring.catch(() => {}); // reported when its turn comes
          queue.push(restoring);
        }
      }
    }
    await drain(0);
  } finally {
    await Promise.allSettled(queue);
  }
  return restore.outcome();
}

type ChunkLines = AsyncIterable<readonly ChunkRef[]> | Iterable<readonly ChunkRef[]>;

interface Restore {
  readonly did: { unreadable: number };
  bucket(bucket: string): Promise<void>;
  object(bucket: string, object: RecordedObject, chunks: ChunkLines): Promise<void>;
  outcome(): RestoreOutcome;
}

function createRestore(options: RestoreOptions): Restore {
  const { engine, record, signal, onProgress } = options;
  const did = {
    ...{ bucketsMade: 0, objectsRestored: 0, bytesRestored: 0, objectsPresent: 0, etagsChanged: 0, unreadable: 0 },
  };
  const conflicts = createTold();
  const damaged = createTold();
  let doneBytes = 0;
  const done = (sizeBytes: number): void => {
    doneBytes += sizeBytes;
    onProgress(doneBytes, record.end.bytes);
  };
  return {
    did,
    async bucket(bucket) {
      if (await makeBucket(engine, bucket, signal)) did.bucketsMade++;
    },
    async object(bucket, object, lines) {
      const { key, sizeBytes } = object;
      const there = await existing(engine, { bucket, key }, signal);
      const list = createChunkList(lines);
      if (there !== undefined && (await isSame(options, { bucket, object, there }, list))) {
        did.objectsPresent++;
        return done(sizeBytes);
      }
      if (there !== undefined && !options.overwrite) {
        return conflicts.add({ bucket, key, problem: "it is there, and differs from the backup" });
      }
      try {
        const etag = await writeObject(options, { bucket, object, there }, list, done);
        did.objectsRestored++;
        did.bytesRestored += sizeBytes;
        if (etag !== object.etag) did.etagsChanged++;
      } catch (thrown) {
        const error = AshlarError.from(thrown);
        if (signal.aborted) throw error;
        const { problem } = error.details;
        if (isOfBackup(error)) damaged.add({ bucket, key, problem: problem ?? error.message });
        else if (error.code === "PRECONDITION_FAILED") {
          conflicts.add({ bucket, key, problem: "it was written while it was restored" });
        } else throw error;
      }
    },
    outcome: () => ({ name: record.name, ...did, conflicts, damaged }),
  };
}

/** Damage in the folder, and not in the store. A whole object with another digest than its record names is damage too. */
function isOfBackup(error: AshlarError): boolean {
  return ["CHUNK_MISSING", "CHUNK_CORRUPT", "CHECKSUM_MISMATCH"].includes(error.code);
}

function createTold(): Told & { add(problem: ObjectProblem): void } {
  const listed: ObjectProblem[] = [];
  let count = 0;
  return {
    listed,
    get count() {
      return count;
    },
    add(problem) {
      count++;
      if (listed.length < UNREADABLE_LISTED) listed.push(problem);
    },
  };
}

/** @returns whether it was missing. */
async function makeBucket(engine: ObjectEngine, bucket: string, signal: AbortSignal): Promise<boolean> {
  if ((await engine.getBucket(bucket, { signal })) !== undefined) return false;
  try {
    await engine.createBucket(bucket, { signal });
    return true;
  } catch (error) {
    if (AshlarError.is(error, "BUCKET_ALREADY_EXISTS")) return false;
    throw error;
  }
}

async function existing(
  engine: ObjectEngine,
  ref: { readonly bucket: string; readonly key: string },
  signal: AbortSignal,
): Promise<ObjectInfo | undefined> {
  try {
    return await engine.headObject(ref, { signal });
  } catch (error) {
    if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return undefined;
    throw error;
  }
}

/**
 * Whether an object has the recorded bytes and attributes. An etag alone can differ where the bytes do not: what was put together from parts has no
 * digest, and when it was restored in one go another etag. Then the chunks are compared, and where it is cut otherwise, its bytes are read.
 */
async function isSame(
  options: RestoreOptions,
  wanted: Wanted & { readonly there: ObjectInfo },
  list: ChunkList,
): Promise<boolean> {
  const { object, there } = wanted;
  if (there.sizeBytes !== object.sizeBytes) return false;
  if (sortedJson(there.attributes) !== sortedJson(object.attributes)) return false;
  if (there.etag === object.etag) return true;
  if (object.sha256 !== undefined && there.sha256 !== undefined) return object.sha256 === there.sha256;
  const seen: ChunkRef[] = [];
  const next = async (): Promise<ChunkRef | undefined> => {
    const [chunk] = await list.take(1, Number.POSITIVE_INFINITY);
    // Only an object that will be written needs its list once more.
    if (chunk !== undefined && options.overwrite) seen.push(chunk);
    return chunk;
  };
  const isEqual = await hasChunks(options, wanted, next).catch((error: unknown) => {
    // Replaced or deleted since it was looked at.
    if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return false;
    throw error;
  });
  if (!isEqual) list.putBack(seen);
  return isEqual;
}

/** Whether the object's chunks are those that `next` gives, or its bytes are if it is cut otherwise. */
async function hasChunks(
  { engine, signal, concurrency }: RestoreOptions,
  { bucket, object: { key }, there }: Wanted & { readonly there: ObjectInfo },
  next: () => Promise<ChunkRef | undefined>,
): Promise<boolean> {
  const ref = { bucket, key, objectVersion: there.objectVersion };
  const opened = await engine.openObject(ref, { signal });
  let wanted = await next();
  let offset = 0;
  for await (const chunk of opened.chunks?.() ?? []) {
    if (wanted?.sizeBytes !== chunk.sizeBytes) break;
    if (!bytesEqual(wanted.chunkId, chunk.chunkId)) return false;
    offset += chunk.sizeBytes;
    wanted = await next();
  }
  if (wanted === undefined) return offset === there.sizeBytes;
  const rest = await engine.openObject({ ...ref, range: { offset } }, { signal, concurrency });
  let hash = nodeCryptoHasher.incremental();
  let left = wanted.sizeBytes;
  for await (const slice of rest.read()) {
    for (let from = 0; from < slice.byteLength; ) {
      if (wanted === undefined) return false;
      const piece = slice.subarray(from, from + left);
      hash.update(piece);
      from += piece.byteLength;
      left -= piece.byteLength;
      if (left > 0) continue;
      if (!bytesEqual(hash.digest(), wanted.chunkId)) return false;
      hash = nodeCryptoHasher.incremental();
      wanted = await next();
      left = wanted?.sizeBytes ?? 0;
    }
  }
  return wanted === undefined;
}

/** JSON with the members of every object in order. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value ?? {}, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

interface Wanted {
  readonly bucket: string;
  readonly object: RecordedObject;
  readonly there: ObjectInfo | undefined;
}

/** @returns the etag that the object has now. */
async function writeObject(
  options: RestoreOptions,
  wanted: Wanted,
  list: ChunkList,
  done: (sizeBytes: number) => void,
): Promise<string> {
  const { engine, signal, concurrency, commitChunksMax = LIMITS.COMMIT_CHUNKS_MAX } = options;
  const { bucket, object, there } = wanted;
  const { key, sizeBytes, attributes, durability, sha256 } = object;
  // Nobody's write that came meanwhile is replaced.
  const condition = there === undefined ? { ifNoneMatch: "*" } : { ifMatch: there.etag };
  const first = await list.take(commitChunksMax, Number.POSITIVE_INFINITY);
  if (await list.isEnded()) {
    const request = {
      ...{ bucket, key, attributes, sizeBytes, condition, durability, sha256 },
      chunker: recordedCuts(first),
    };
    return (await engine.putObject(request, bytesOf(options, first, done), { signal, concurrency })).etag;
  }
  const { uploadId } = await engine.createUpload({ bucket, key, attributes, durability }, { signal });
  try {
    const parts: { partNumber: number; etag: string }[] = [];
    list.putBack(first);
    for (let partNumber = 1; !(await list.isEnded()); partNumber++) {
      const chunks = await list.take(Math.min(PART_CHUNKS, commitChunksMax), PART_BYTES);
      const partBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
      const request = { uploadId, partNumber, sizeBytes: partBytes };
      const part = await engine.writePart(request, bytesOf(options, chunks, done), { signal, concurrency });
      parts.push({ partNumber, etag: part.etag });
    }
    return (await engine.completeUpload({ uploadId, parts, condition }, { signal })).etag;
  } catch (error) {
    await engine.abortUpload(uploadId).catch(() => {}); // it is collected later
    throw error;
  }
}

/** The chunks of one object, as many at a time as are wanted. */
interface ChunkList {
  /** Up to so many chunks with up to so many bytes, but at least one if any is left. */
  take(count: number, bytes: number): Promise<readonly ChunkRef[]>;
  putBack(chunks: readonly ChunkRef[]): void;
  isEnded(): Promise<boolean>;
}

function createChunkList(lines: ChunkLines): ChunkList {
  const iterator = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]();
  let waiting: ChunkRef[] = [];
  const fill = async (count: number): Promise<void> => {
    while (waiting.length < count) {
      const next = await iterator.next();
      if (next.done === true) return;
      for (const chunk of next.value) waiting.push(chunk);
    }
  };
  return {
    async take(count, bytes) {
      await fill(count);
      let taken = 0;
      let takenBytes = 0;
      for (const { sizeBytes } of waiting) {
        if (taken === count || (taken > 0 && takenBytes + sizeBytes > bytes)) break;
        taken++;
        takenBytes += sizeBytes;
      }
      const chunks = waiting.slice(0, taken);
      waiting = waiting.slice(taken);
      return chunks;
    },
    putBack(chunks) {
      waiting = [...chunks, ...waiting];
    },
    async isEnded() {
      await fill(1);
      return waiting.length === 0;
    },
  };
}

/** Cuts a body as it was cut: its chunks are found again where they are, and the etag is the same. */
function recordedCuts(chunks: readonly ChunkRef[]): Chunker {
  return {
    name: "as recorded",
    start() {
      let index = 0;
      return {
        maxBytes: chunks.reduce((max, { sizeBytes }) => Math.max(max, sizeBytes), 1),
        cut(buffered, ended) {
          const wanted = chunks[index]?.sizeBytes ?? buffered.byteLength;
          if (buffered.byteLength < wanted && !ended) return undefined;
          index++;
          return Math.max(1, Math.min(wanted, buffered.byteLength));
        },
      };
    },
  };
}

/** The bytes of chunks, each compared with its digest. @throws {AshlarError} CHUNK_MISSING, CHUNK_CORRUPT. */
async function* bytesOf(
  { chunks: store, signal }: RestoreOptions,
  chunks: readonly ChunkRef[],
  done: (sizeBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (const { chunkId, sizeBytes } of chunks) {
    const bytes = await store.getChunk(chunkId, { signal });
    const id = encodeHex(chunkId);
    if (bytes === undefined) {
      const problem = `its chunk ${id} is missing in the backup`;
      throw new AshlarError("CHUNK_MISSING", problem, { details: { chunkId: id, problem } });
    }
    if (bytes.byteLength !== sizeBytes || !bytesEqual(await nodeCryptoHasher.digest(bytes), chunkId)) {
      const problem = `its chunk ${id} in the backup is not what was written`;
      throw new AshlarError("CHUNK_CORRUPT", problem, { details: { chunkId: id, problem } });
    }
    yield bytes;
    done(sizeBytes);
  }
}
