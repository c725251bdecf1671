import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, decodeDigestHex, encodeHex, isDigestHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { BucketInfo, ChunkRef, ObjectInfo } from "@ashlar/sdk/ports";
import { fileError } from "../../files/file-error.ts";
import { assertNoLink } from "./backup-folder.ts";

/**
 * The record of one backup: lines of JSON in UTF-8, each ended by a line feed.
 *
 * ```
 * {"format":"ashlar-backup-record","formatVersion":1,"name":"2026-11-30T21-03-44.123Z","beganAtMs":…}
 * {"bucket":"photos","createdAtMs":…}                                  buckets by name, each before its objects
 * {"key":"2026/cat.jpg","objectVersion":…,"sizeBytes":…,"etag":…,"sha256":…,"createdAtMs":…,"durability":…,"attributes":{…}}
 * {"chunks":[["<sha256 in hex>",4194304],…]}                           after their object, in order, up to 1,000 a line; until sizeBytes is reached
 * {"unreadable":"2026/dog.jpg","problem":"…"}                          an object that the store itself cannot read
 * {"end":{"endedAtMs":…,"isOneMoment":true,"fromMs":…,"toMs":…,"buckets":…,"objects":…,"unreadable":…,"bytes":…,"sha256":"…"}}
 * ```
 *
 * Keys ascend by their UTF-8 bytes within a bucket. The last line's `sha256` is that of all bytes before it. A file without it is no whole record, and
 * never has the name of one. What is written here may never change; a new layout is a new version with its own decoder.
 */
const FORMAT = "ashlar-backup-record";
const FORMAT_VERSION = 1;
const CHUNKS_PER_LINE = 1000;
/** Longest line: a key, metadata or a thousand chunks in JSON are far below. A damaged record must not fill the memory. */
const LINE_MAX_BYTES = 1024 * 1024;
const OWNER_ONLY = 0o600;
const READ_BYTES = 64 * 1024;
const BUFFERED_BYTES = 256 * 1024;

/** An object as a backup has it. */
export type RecordedObject = Omit<ObjectInfo, "bucket">;

/** What the last line says. */
export interface RecordEnd {
  readonly endedAtMs: number;
  /** The backup is the store as it was at one moment between `fromMs` and `toMs`. Else each object is as it was at some moment between them. */
  readonly isOneMoment: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly buckets: number;
  readonly objects: number;
  readonly unreadable: number;
  readonly bytes: number;
}

/** Writes a record; what it has when the process dies is no whole record. */
export interface RecordWriter extends AsyncDisposable {
  bucket(bucket: BucketInfo): Promise<void>;
  object(object: RecordedObject): Promise<void>;
  /** Chunks of the last object, in order. */
  chunks(chunks: readonly ChunkRef[]): Promise<void>;
  unreadable(key: string, problem: string): Promise<void>;
  /** Where the next line begins. */
  position(): number;
  /** Forgets all lines from there on. */
  rewind(position: number): Promise<void>;
  /** Writes the last line and syncs the file. */
  end(end: RecordEnd): Promise<void>;
}

/** Makes the file; it must not be there. */
export async function writeRecord(
  file: string,
  header: { readonly name: string; readonly beganAtMs: number },
): Promise<RecordWriter> {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;
  const handle = await open(file, flags, OWNER_ONLY).catch((error: unknown) => {
    throw fileError(error, file);
  });
  let written = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    await writeAt(handle, bytes, written).catch((error: unknown) => {
      throw fileError(error, file);
    });
    written += bytes.byteLength;
  };
  const line = async (value: unknown): Promise<void> => {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    waiting.push(bytes);
    waitingBytes += bytes.byteLength;
    if (waitingBytes >= BUFFERED_BYTES) await flush();
  };
  await line({ format: FORMAT, formatVersion: FORMAT_VERSION, ...header });
  return {
    bucket: ({ bucket, createdAtMs }) => line({ bucket, createdAtMs }),
    object: (object) => line(object),
    async chunks(chunks) {
      for (let from = 0; from < chunks.length; from += CHUNKS_PER_LINE) {
        const some = chunks.slice(from, from + CHUNKS_PER_LINE);
        await line({ chunks: some.map(({ chunkId, sizeBytes }) => [encodeHex(chunkId), sizeBytes]) });
      }
    },
    unreadable: (key, problem) => line({ unreadable: key, problem }),
    position: () => written + waitingBytes,
    async rewind(position) {
      await flush();
      await handle.truncate(position);
      written = position;
    },
    async end(end) {
      await flush();
      const sha256 = createHash("sha256");
      for await (const bytes of bytesOf(handle)) sha256.update(bytes);
      await line({ end: { ...end, sha256: sha256.digest("hex") } });
      await flush();
      await handle.sync();
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}

async function* bytesOf(handle: FileHandle): AsyncGenerator<Buffer> {
  let position = 0;
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** One thing that a record names. */
export type RecordEntry =
  | { readonly kind: "bucket"; readonly bucket: string; readonly createdAtMs: number }
  | {
      readonly kind: "object";
      readonly bucket: string;
      readonly object: RecordedObject;
      /** Its chunks, a line at a time, before the next entry is asked for; what is not taken is passed over. */
      chunks(): AsyncGenerator<readonly ChunkRef[]>;
    }
  | { readonly kind: "unreadable"; readonly bucket: string; readonly key: string; readonly problem: string };

/** A record that was read to its end, and is whole. */
export interface WholeRecord {
  readonly name: string;
  readonly beganAtMs: number;
  readonly end: RecordEnd;
  /** Its entries in order. Memory: one line. */
  entries(): AsyncGenerator<RecordEntry>;
}

/**
 * Reads a record once to its end and compares it with its digest.
 *
 * @throws {AshlarError} METADATA_CORRUPT if it is not what was written, STORE_INCOMPATIBLE if a newer release wrote it.
 */
export async function openRecord(file: string): Promise<WholeRecord> {
  const sha256 = createHash("sha256");
  let header: Readonly<Record<string, unknown>> | undefined;
  let last: Buffer | undefined;
  for await (const line of linesOf(file)) {
    header ??= headerOf(line, file);
    if (last !== undefined) sha256.update(last).update("\n");
    last = Buffer.from(line);
  }
  const end = last === undefined ? undefined : (parsed(last, file).end as Record<string, unknown> | undefined);
  if (header === undefined || end === undefined) throw damaged(file, "its end is missing");
  if (end.sha256 !== sha256.digest("hex")) throw damaged(file, "its bytes are not those that were written");
  return {
    name: String(header.name),
    beganAtMs: Number(header.beganAtMs),
    end: end as unknown as RecordEnd,
    entries: () => entriesOf(file),
  };
}

function headerOf(line: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  const header = parsed(line, file);
  if (header.format === FORMAT && header.formatVersion === FORMAT_VERSION) return header;
  const { format, formatVersion } = header;
  throw new AshlarError("STORE_INCOMPATIBLE", `${file} is not a record that this release knows`, {
    details: { path: file, format: String(format), formatVersion: String(formatVersion) },
  });
}

function parsed(line: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(line).toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Reported below.
  }
  throw damaged(file, "a line is no JSON");
}

function damaged(file: string, problem: string): AshlarError {
  const message = `the record ${file} is damaged: ${problem}; use another backup, and make a new one`;
  return new AshlarError("METADATA_CORRUPT", message, { details: { path: file } });
}

/** Lines without their ends; a last one without an end is none. */
async function* linesOf(file: string): AsyncGenerator<Buffer> {
  assertNoLink(file);
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw fileError(error, file);
  });
  try {
    let rest: Buffer = Buffer.alloc(0);
    for await (const bytes of bytesOf(handle)) {
      rest = rest.byteLength === 0 ? bytes : Buffer.concat([rest, bytes]);
      let from = 0;
      for (let end = rest.indexOf(10, from); end >= 0; end = rest.indexOf(10, from)) {
        yield rest.subarray(from, end);
        from = end + 1;
      }
      rest = rest.subarray(from);
      if (rest.byteLength > LINE_MAX_BYTES) throw damaged(file, "a line is too long");
    }
  } finally {
    await handle.close();
  }
}

async function* entriesOf(file: string): AsyncGenerator<RecordEntry> {
  const lines = linesOf(file);
  let bucket = "";
  /** Bytes of the last object whose chunks have not been read. */
  let leftBytes = 0;
  const nextChunks = async (): Promise<readonly ChunkRef[]> => {
    const next = await lines.next();
    if (next.done === true) throw damaged(file, "chunks are missing");
    const chunks = chunksOf(parsed(next.value, file).chunks, file);
    leftBytes -= chunks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (leftBytes < 0 || chunks.length === 0) throw damaged(file, "chunks are not those of their object");
    return chunks;
  };
  try {
    await lines.next();
    for (;;) {
      while (leftBytes > 0) await nextChunks();
      const next = await lines.next();
      if (next.done === true) throw damaged(file, "its end is missing");
      const line = parsed(next.value, file);
      if (line.end !== undefined) return;
      if (typeof line.bucket === "string") {
        bucket = line.bucket;
        yield { kind: "bucket", bucket, createdAtMs: Number(line.createdAtMs) };
      } else if (typeof line.unreadable === "string") {
        yield { kind: "unreadable", bucket, key: line.unreadable, problem: String(line.problem) };
      } else {
        const object = objectOf(line, file);
        leftBytes = object.sizeBytes;
        const chunks = async function* (): AsyncGenerator<readonly ChunkRef[]> {
          while (leftBytes > 0) yield await nextChunks();
        };
        yield { kind: "object", bucket, object, chunks };
      }
    }
  } finally {
    await lines.return(undefined);
  }
}

function objectOf(line: Readonly<Record<string, unknown>>, file: string): RecordedObject {
  const { key, sizeBytes, objectVersion, etag } = line;
  const isObject =
    typeof key === "string" &&
    typeof objectVersion === "string" &&
    typeof etag === "string" &&
    Number.isSafeInteger(sizeBytes) &&
    (sizeBytes as number) >= 0;
  if (!isObject) throw damaged(file, "a line names no object");
  return line as unknown as RecordedObject;
}

function chunksOf(value: unknown, file: string): readonly ChunkRef[] {
  const entries = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return entries.map((entry) => {
    const [id, sizeBytes] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    const isChunk =
      typeof id === "string" &&
      isDigestHex(id) &&
      Number.isSafeInteger(sizeBytes) &&
      (sizeBytes as number) >= 1 &&
      (sizeBytes as number) <= LIMITS.CHUNK_MAX_BYTES;
    if (!isChunk) throw damaged(file, "a line names no chunk");
    return { chunkId: decodeDigestHex(id) as Digest, sizeBytes: sizeBytes as number };
  });
}
