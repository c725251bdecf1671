import { renameSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type BucketInfo,
  type ChunkRef,
  type ObjectEngine,
  type ObjectInfo,
  type ObjectListEntry,
  systemClock,
} from "@ashlar/sdk/ports";
import { type BackupFolder, recordName } from "./backup-folder.ts";
import { type Captured, type CaptureSink, captureObject } from "./capture.ts";
import { openRecord, type RecordEnd, type RecordWriter, type WholeRecord, writeRecord } from "./record.ts";
import { compareKeys, createRecordCursor, type RecordCursor } from "./record-cursor.ts";

/** What {@link runBackup} takes. */
export interface BackupOptions {
  readonly engine: Pick<ObjectEngine, "openObject" | "listBuckets" | "listObjects">;
  readonly folder: BackupFolder;
  /** Chunks that are read at once, and as many that are written. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
  /** Something that the user should know and that does not end the backup. */
  readonly onNote: (text: string) => void;
}

/** How far a backup is. */
export interface BackupProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly chunksWritten: number;
}

/** What a backup did. */
export interface BackupOutcome extends RecordEnd {
  readonly name: string;
  readonly passes: number;
  readonly chunksWritten: number;
  readonly bytesWritten: number;
  /** Chunks that the folder had already. Chunks of objects that were in the last backup too are not counted. */
  readonly chunksPresent: number;
  /** Objects that were in the last backup and are unchanged: only looked at. */
  readonly objectsUnchanged: number;
  /** Up to UNREADABLE_LISTED of the objects that the store cannot read. */
  readonly problems: readonly ObjectProblem[];
}

/** An object that cannot be backed up, restored or verified. */
export interface ObjectProblem {
  readonly bucket: string;
  readonly key: string;
  readonly problem: string;
}

/**
 * Passes over the store at most. The first brings the chunks over; each later one only looks through the listing and takes what changed meanwhile. Where
 * a pass finds nothing changed, the backup is the store of one moment. A store that is written all the time never comes to rest, so there is an end.
 */
const PASSES_MAX = 4;
/** Objects up to this size are captured side by side: for them the round trips take the time. */
const SMALL_BYTES = 8 * 1024 * 1024;
/** Small objects at once: with SMALL_BYTES it bounds what they hold in memory. */
const SMALL_LANES = 8;
/** Unreadable objects that are told one by one; all are in the record. */
export const UNREADABLE_LISTED = 100;

/**
 * Backs a store up: every bucket and object, through the engine of any seat.
 *
 * Resumable: a chunk that is in the folder is not read again, so after a crash the next run goes on. Nothing counts as a backup before its record is
 * complete, synced and renamed.
 *
 * Memory: `concurrency` chunks read and as many written, or SMALL_LANES objects of SMALL_BYTES; one page of the listing.
 */
export async function runBackup(options: BackupOptions): Promise<BackupOutcome> {
  const { folder, onNote } = options;
  const beganAtMs = systemClock.nowMs();
  const name = recordName(beganAtMs, folder.records());
  const state = createState(await countBytes(options), options);
  let old = await lastRecord(folder, onNote);
  for (let pass = 1; ; pass++) {
    const file = folder.unfinishedFile(`pass-${pass % 2}`);
    try {
      const end = await runPass(options, { file, old, pass, state, header: { name, beganAtMs } });
      if (!end.isOneMoment && pass < PASSES_MAX) {
        old = await openRecord(file);
        continue;
      }
      await finish(folder, { file, name });
      await rm(folder.unfinishedFile(`pass-${(pass + 1) % 2}`), { force: true });
      const { problems, doneBytes: _, ...did } = state.did;
      return { name, passes: pass, ...end, ...did, problems };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }
}

/** What the passes count together. */
interface State {
  readonly did: {
    doneBytes: number;
    chunksWritten: number;
    bytesWritten: number;
    chunksPresent: number;
    objectsUnchanged: number;
    problems: ObjectProblem[];
  };
  done(sizeBytes: number): void;
  readonly onChunk: (chunk: { readonly sizeBytes: number; readonly isNew: boolean }) => void;
}

function createState(totalBytes: number, { onProgress }: BackupOptions): State {
  const did = { doneBytes: 0, chunksWritten: 0, bytesWritten: 0, chunksPresent: 0, objectsUnchanged: 0, problems: [] };
  const done = (sizeBytes: number): void => {
    // What is read again after an overwrite counts twice.
    did.doneBytes = Math.min(totalBytes, did.doneBytes + sizeBytes);
    onProgress({ doneBytes: did.doneBytes, totalBytes, chunksWritten: did.chunksWritten });
  };
  return {
    did,
    done,
    onChunk: ({ sizeBytes, isNew }) => {
      if (isNew) {
        did.chunksWritten++;
        did.bytesWritten += sizeBytes;
      } else did.chunksPresent++;
      done(sizeBytes);
    },
  };
}

/** The sum of all sizes, for the time left. */
async function countBytes(options: BackupOptions): Promise<number> {
  let bytes = 0;
  for (const { bucket } of await options.engine.listBuckets({ signal: options.signal }))
    for await (const listed of objectsOf(options, bucket)) bytes += "damage" in listed ? 0 : listed.sizeBytes;
  return bytes;
}

/** A key whose row is not what was written: nothing else is known of the object. */
interface DamagedRow {
  readonly key: string;
  readonly damage: AshlarError;
}

/**
 * All objects of a bucket in order; none if the bucket is gone. One damaged row fails its whole page: then smaller and smaller pages are asked for, until only
 * that row is left out.
 */
async function* objectsOf(
  { engine, signal }: BackupOptions,
  bucket: string,
): AsyncGenerator<ObjectListEntry | DamagedRow> {
  let startAfter: string | undefined;
  let limit: number = LIMITS.LIST_LIMIT_MAX;
  for (;;) {
    const page = await engine.listObjects({ bucket, startAfter, limit }, { signal }).catch(AshlarError.from);
    if (page instanceof Error) {
      if (page.code === "BUCKET_NOT_FOUND") return;
      if (page.code !== "METADATA_CORRUPT") throw page;
      limit = Math.floor(limit / 2);
      if (limit > 0) continue;
      const key = damagedKey(page, bucket);
      if (key === undefined || compareKeys(key, startAfter ?? "") <= 0) throw page;
      yield { key, damage: page };
      startAfter = key;
      limit = 1;
      continue;
    }
    yield* page.objects;
    startAfter = page.objects.at(-1)?.key;
    if (page.nextCursor === undefined || startAfter === undefined) return;
    limit = Math.min(limit * 2, LIMITS.LIST_LIMIT_MAX);
  }
}

/** The key of a damaged row, from what its error says: bucket, key (a character for each byte) and object version. */
function damagedKey({ details }: AshlarError, bucket: string): string | undefined {
  const { row = "" } = details;
  if (!row.startsWith(`${bucket} `)) return undefined;
  const key = Buffer.from(row.slice(bucket.length + 1, row.lastIndexOf(" ")), "latin1").toString("utf8");
  return key === "" ? undefined : key;
}

/** The newest whole backup, if there is one that can be read. */
async function lastRecord(folder: BackupFolder, onNote: BackupOptions["onNote"]): Promise<WholeRecord | undefined> {
  for (const name of folder.records().toReversed()) {
    try {
      return await openRecord(folder.recordFile(name));
    } catch (thrown) {
      onNote(AshlarError.from(thrown).message);
    }
  }
  return undefined;
}

interface PassParts {
  readonly file: string;
  readonly old: WholeRecord | undefined;
  readonly pass: number;
  readonly state: State;
  readonly header: { readonly name: string; readonly beganAtMs: number };
}

async function runPass(options: BackupOptions, parts: PassParts): Promise<RecordEnd> {
  const { file, old, pass, state } = parts;
  const beganAtMs = systemClock.nowMs();
  state.did.problems = [];
  await using writer = await writeRecord(file, parts.header);
  await using cursor = createRecordCursor(old);
  const counts = { buckets: 0, objects: 0, unreadable: 0, bytes: 0, changes: 0 };
  const walk: Walk = { ...parts, options, writer, cursor, counts, queue: [] };
  const buckets = await options.engine.listBuckets({ signal: options.signal });
  // In the order of the cursor, whatever that of the store is.
  for (const bucket of buckets.toSorted((a, b) => (a.bucket < b.bucket ? -1 : 1))) await walkBucket(walk, bucket);
  counts.changes += await cursor.skipRest();
  const endedAtMs = systemClock.nowMs();
  const { changes, ...totals } = counts;
  // Nothing changed between two looks at each key, and all first looks came before all second ones: in between, the store was just this.
  const isOneMoment = pass > 1 && changes === 0;
  const end = { endedAtMs, isOneMoment, fromMs: beganAtMs, toMs: isOneMoment ? beganAtMs : endedAtMs, ...totals };
  await writer.end(end);
  return end;
}

interface Walk extends PassParts {
  readonly options: BackupOptions;
  readonly writer: RecordWriter;
  readonly cursor: RecordCursor;
  readonly counts: { buckets: number; objects: number; unreadable: number; bytes: number; changes: number };
  /** Small objects under way, in the order of the record. */
  readonly queue: Promise<SmallObject>[];
}

interface SmallObject {
  readonly ref: { readonly bucket: string; readonly key: string };
  readonly captured: Captured;
  readonly info: ObjectInfo | undefined;
  readonly chunks: readonly ChunkRef[];
}

async function walkBucket(walk: Walk, info: BucketInfo): Promise<void> {
  const { cursor, counts, writer, options } = walk;
  const { bucket } = info;
  const known = await cursor.seek(bucket, "", counts);
  if (known?.kind !== "bucket" || known.createdAtMs !== info.createdAtMs) counts.changes++;
  await writer.bucket(info);
  counts.buckets++;
  try {
    for await (const listed of objectsOf(options, bucket)) {
      if ("damage" in listed) await walkDamaged(walk, bucket, listed);
      else await walkObject(walk, bucket, listed);
    }
  } finally {
    await Promise.allSettled(walk.queue);
  }
  await drain(walk, 0);
}

async function walkObject(walk: Walk, bucket: string, entry: ObjectListEntry): Promise<void> {
  const { cursor, counts, state } = walk;
  const { key } = entry;
  const known = await cursor.seek(bucket, key, counts);
  if (known?.kind === "object" && known.object.objectVersion === entry.objectVersion) {
    await drain(walk, 0);
    if (await copyKnown(walk, known)) {
      if (walk.pass === 1) {
        state.did.objectsUnchanged++;
        state.done(entry.sizeBytes);
      }
      return;
    }
  }
  // An object that was unreadable and still is has not changed.
  if (known?.kind !== "unreadable") counts.changes++;
  if (entry.sizeBytes > SMALL_BYTES) {
    await drain(walk, 0);
    await captureLarge(walk, { bucket, key });
  } else {
    await drain(walk, SMALL_LANES - 1);
    const small = captureSmall(walk, { bucket, key });
    small.catch(() => {}); // reported when its turn comes
    walk.queue.push(small);
  }
}

async function walkDamaged(walk: Walk, bucket: string, { key, damage }: DamagedRow): Promise<void> {
  const known = await walk.cursor.seek(bucket, key, walk.counts);
  if (known?.kind !== "unreadable") walk.counts.changes++;
  await drain(walk, 0);
  await settle(walk, { ref: { bucket, key }, captured: { problem: damage.message }, info: undefined });
}

/**
 * Copies an unchanged object from the old record. In the first pass that is another backup's, whose chunks may have been put aside or lost since.
 *
 * @returns false if a chunk is missing; nothing is written then.
 */
async function copyKnown(
  walk: Walk,
  known: Extract<Awaited<ReturnType<RecordCursor["seek"]>>, { kind: "object" }>,
): Promise<boolean> {
  const { writer, pass, options, counts } = walk;
  const { object } = known;
  const position = writer.position();
  await writer.object(object);
  for await (const chunks of known.chunks()) {
    if (pass === 1 && !(await areThere(options, chunks))) {
      await writer.rewind(position);
      return false;
    }
    await writer.chunks(chunks);
  }
  counts.objects++;
  counts.bytes += object.sizeBytes;
  return true;
}

async function areThere({ folder, signal }: BackupOptions, chunks: readonly ChunkRef[]): Promise<boolean> {
  const ids = chunks.map(({ chunkId }) => chunkId);
  const there = await folder.chunks.hasChunks(ids, { claim: false, signal });
  return chunks.every(({ sizeBytes }, index) => there[index]?.sizeBytes === sizeBytes);
}

function capture(walk: Walk, ref: SmallObject["ref"], sink: CaptureSink): Promise<Captured> {
  const { options, state } = walk;
  const { engine, folder, concurrency, signal } = options;
  return captureObject({ engine, chunks: folder.chunks, concurrency, signal, onChunk: state.onChunk }, ref, sink);
}

async function captureSmall(walk: Walk, ref: SmallObject["ref"]): Promise<SmallObject> {
  let info: ObjectInfo | undefined;
  let chunks: ChunkRef[] = [];
  const captured = await capture(walk, ref, {
    async object(found) {
      info = found;
    },
    async chunks(found) {
      chunks.push(...found);
    },
    async again() {
      info = undefined;
      chunks = [];
    },
  });
  return { ref, captured, info, chunks };
}

/** Writes what is at the head of the queue, until only `count` are left. */
async function drain(walk: Walk, count: number): Promise<void> {
  const { queue, writer } = walk;
  while (queue.length > count) {
    const { ref, captured, info, chunks } = await (queue[0] as Promise<SmallObject>);
    void queue.shift();
    if (info !== undefined && captured === "captured") {
      await writer.object(recorded(info));
      await writer.chunks(chunks);
    }
    await settle(walk, { ref, captured, info });
  }
}

/** An object whose list of chunks may be long: it goes straight into the record. */
async function captureLarge(walk: Walk, ref: SmallObject["ref"]): Promise<void> {
  const { writer } = walk;
  const position = writer.position();
  let info: ObjectInfo | undefined;
  const captured = await capture(walk, ref, {
    async object(found) {
      info = found;
      await writer.object(recorded(found));
    },
    chunks: (chunks) => writer.chunks(chunks),
    again: () => writer.rewind(position),
  });
  await settle(walk, { ref, captured, info });
}

async function settle(
  { writer, counts, state }: Walk,
  { ref, captured, info }: Pick<SmallObject, "ref" | "captured" | "info">,
): Promise<void> {
  if (captured === "gone") return;
  if (captured === "captured") {
    counts.objects++;
    counts.bytes += info?.sizeBytes ?? 0;
    return;
  }
  counts.unreadable++;
  await writer.unreadable(ref.key, captured.problem);
  if (state.did.problems.length < UNREADABLE_LISTED) state.did.problems.push({ ...ref, problem: captured.problem });
}

function recorded({ bucket: _, ...object }: ObjectInfo): Omit<ObjectInfo, "bucket"> {
  return object;
}

/** Gives the record its name: from now on it is a backup. */
async function finish(
  folder: BackupFolder,
  { file, name }: { readonly file: string; readonly name: string },
): Promise<void> {
  const target = folder.recordFile(name);
  renameSync(file, target);
  const handle = await open(join(target, ".."), "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
