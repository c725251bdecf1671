import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, type ObjectClient } from "@ashlar/sdk";

/** What the main job works on. */
export interface MainJobOptions {
  /** Folder of the store. */
  readonly path: string;
  /** A real file to put and read back. */
  readonly file: string;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

const BUCKET = "start";
const KEY = "node";
const READ_BYTES = 1024 * 1024;

/**
 * Puts a file into an embedded store as a stream, reads it back, and compares the digests. Prints a line for each step.
 *
 * @returns whether the bytes that came back are those of the file.
 */
export async function runMainJob(options: MainJobOptions): Promise<boolean> {
  const { path, file, signal, print } = options;
  const { size } = await stat(file);
  print(`store    ${path}: chunks as files, metadata in SQLite, both in this process`);
  await using client = createClient(embedded({ path }));
  await ensureBucket(client, signal);

  const fileHash = createHash("sha256");
  const putTimer = startTimer();
  const put = await client.putObject({
    bucket: BUCKET,
    key: KEY,
    body: hashed(file, fileHash),
    sizeBytes: size,
    signal,
  });
  const reused = put.deduplicatedBytes === 0 ? "" : `; ${megabytes(put.deduplicatedBytes)} were there already`;
  print(
    `put      ${file} (${megabytes(put.sizeBytes)}) as a stream to ${BUCKET}/${KEY}: ${putTimer.rate(size)}, ${put.chunkCount} chunks, durability ${put.durability}${reused}`,
  );
  print(`stored   ${await describeFolder(path)}`);

  const readHash = createHash("sha256");
  const getTimer = startTimer();
  const object = await client.getObject({ bucket: BUCKET, key: KEY, signal });
  for await (const slice of object) readHash.update(slice);
  print(
    `get      ${BUCKET}/${KEY} as a stream: ${getTimer.rate(object.length)}, each chunk checked against its SHA-256`,
  );

  const expected = fileHash.digest("hex");
  const same = readHash.digest("hex") === expected && put.sha256 === expected;
  print(same ? `verified sha256 ${expected}: file, store and answer agree` : `FAILED   the bytes differ from ${file}`);
  return same;
}

async function ensureBucket(client: ObjectClient, signal: AbortSignal): Promise<void> {
  const buckets = await client.listBuckets({ signal });
  if (!buckets.some(({ bucket }) => bucket === BUCKET)) await client.createBucket({ bucket: BUCKET, signal });
}

/** The file's bytes as they are read; also hashes them, independently of the store. */
async function* hashed(file: string, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const slice of createReadStream(file, { highWaterMark: READ_BYTES })) {
    hash.update(slice as Uint8Array);
    yield slice as Uint8Array;
  }
}

async function describeFolder(path: string): Promise<string> {
  const entries = await readdir(join(path, "chunks"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name));
  const [first] = files;
  const example = first === undefined ? "" : `, for instance ${join(first.parentPath, first.name).slice(0, 60)}…`;
  return `${files.length} chunk files in ${join(path, "chunks")}${example}; metadata in ${join(path, "metadata.sqlite")}`;
}

function startTimer(): { readonly rate: (bytes: number) => string } {
  const startedAtMs = performance.now();
  return { rate: (bytes) => `${(bytes / 1000 / (performance.now() - startedAtMs)).toFixed(0)} MB/s` };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
