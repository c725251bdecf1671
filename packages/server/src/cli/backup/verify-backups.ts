import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { type BackupFolder, chosenRecord } from "./backup-folder.ts";
import { openRecord } from "./record.ts";
import { type ObjectProblem, UNREADABLE_LISTED } from "./run-backup.ts";

/** What a verification found. */
export interface Verification {
  readonly backups: number;
  readonly chunks: number;
  /** Bytes of chunks that were read. */
  readonly bytes: number;
  readonly problemCount: number;
  /** The first UNREADABLE_LISTED of them. */
  readonly problems: readonly ObjectProblem[];
}

/** Damaged chunks that are remembered one by one; with more than these, the folder is lost anyway, and every object counts as damaged that names an unknown one. */
const DAMAGED_MAX = 100_000;
/** Chunks that are looked for at once. */
const BATCH = 256;

/**
 * Reads every chunk of a folder once and compares it with its digest, then looks for every chunk that the records name.
 *
 * Memory: one chunk, one line of a record, and the ids of damaged chunks.
 *
 * @param options.wanted only this backup's objects are named; default: those of all.
 */
export async function verifyBackups(options: {
  readonly folder: BackupFolder;
  readonly wanted: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}): Promise<Verification> {
  const { folder, wanted, signal } = options;
  const names = wanted === undefined ? folder.records() : [chosenRecord(folder, wanted)];
  const read = await readChunks(options);
  const problems: ObjectProblem[] = [];
  let problemCount = 0;
  const found = (problem: ObjectProblem): void => {
    problemCount++;
    if (problems.length < UNREADABLE_LISTED) problems.push(problem);
  };
  for (const name of names) {
    try {
      await verifyRecord(folder, { name, damaged: read.damaged, signal }, found);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (error.code !== "METADATA_CORRUPT" && error.code !== "STORE_INCOMPATIBLE") throw error;
      found({ bucket: name, key: "", problem: error.message });
    }
  }
  return { backups: names.length, chunks: read.chunks, bytes: read.bytes, problemCount, problems };
}

interface ReadChunks {
  readonly chunks: number;
  readonly bytes: number;
  /** In hex. */
  readonly damaged: ReadonlySet<string>;
}

async function readChunks({
  folder,
  signal,
  onProgress,
}: Pick<Parameters<typeof verifyBackups>[0], "folder" | "signal" | "onProgress">): Promise<ReadChunks> {
  const { bytesUsed } = await folder.chunks.stats({ signal });
  const damaged = new Set<string>();
  let chunks = 0;
  let bytes = 0;
  let cursor: string | undefined;
  do {
    const page = await folder.chunks.listChunks({ cursor, limit: LIMITS.LIST_LIMIT_MAX, signal });
    for (const { chunkId } of page.chunks) {
      const sizeBytes = await sizeOfWhole(folder, chunkId, signal);
      chunks++;
      bytes += sizeBytes ?? 0;
      if (sizeBytes === undefined && damaged.size < DAMAGED_MAX) damaged.add(encodeHex(chunkId));
      onProgress(Math.min(bytes, bytesUsed), bytesUsed);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { chunks, bytes, damaged };
}

/** @returns `undefined` if the bytes are not those of the chunk. The store puts a file that its own checksums find damaged aside: the next backup writes it again. */
async function sizeOfWhole(folder: BackupFolder, chunkId: Digest, signal: AbortSignal): Promise<number | undefined> {
  try {
    const bytes = await folder.chunks.getChunk(chunkId, { signal });
    const isWhole = bytes !== undefined && bytesEqual(await nodeCryptoHasher.digest(bytes), chunkId);
    return isWhole ? bytes.byteLength : undefined;
  } catch (error) {
    if (AshlarError.is(error, "CHUNK_CORRUPT") || AshlarError.is(error, "NODE_UNAVAILABLE")) return undefined;
    throw error;
  }
}

async function verifyRecord(
  folder: BackupFolder,
  {
    name,
    damaged,
    signal,
  }: { readonly name: string; readonly damaged: ReadonlySet<string>; readonly signal: AbortSignal },
  found: (problem: ObjectProblem) => void,
): Promise<void> {
  const record = await openRecord(folder.recordFile(name));
  for await (const entry of record.entries()) {
    if (entry.kind !== "object") continue;
    const { bucket, object } = entry;
    let first: string | undefined;
    let count = 0;
    for await (const line of entry.chunks()) {
      for (let from = 0; from < line.length; from += BATCH) {
        const some = line.slice(from, from + BATCH);
        const ids = some.map(({ chunkId }) => chunkId);
        const there = await folder.chunks.hasChunks(ids, { claim: false, signal });
        for (const [index, { chunkId, sizeBytes }] of some.entries()) {
          const id = encodeHex(chunkId);
          if (there[index]?.sizeBytes === sizeBytes && !damaged.has(id)) continue;
          first ??= id;
          count++;
        }
      }
    }
    if (first === undefined) continue;
    const problem = `in ${name}: ${count} of its chunks ${count === 1 ? "is" : "are"} missing or damaged, the first ${first}`;
    found({ bucket, key: object.key, problem });
  }
}
