import { AshlarError } from "../errors/index.ts";
import { type Digest, decodeDigestHex, encodeHex } from "../hash/digest.ts";
import type {
  BucketCatalog,
  CallOptions,
  ChunkCopies,
  ChunkStore,
  ExaminedObject,
  ManifestSegment,
  MetadataExamination,
  ObjectCatalog,
  UploadCatalog,
} from "../ports/index.ts";
import { walkSegments } from "./named-chunks.ts";

/** Damage that was found, and the object that has it, if known. */
export interface StoreProblem {
  readonly what: string;
  /** The metadata is what was written, but chunks that it names are not there. */
  readonly lacksChunks?: boolean;
  /**
   * Copies of its chunks on the nodes of a cluster. `lost`: a chunk has no copy left; `unreachable`: all copies of a chunk are on nodes that are away;
   * `at risk`: a chunk has one copy left, and should have more.
   */
  readonly copies?: "lost" | "unreachable" | "at risk";
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
}

/** What {@link examineStore} takes. */
export interface ExamineOptions extends CallOptions {
  readonly metadata: MetadataExamination &
    Pick<BucketCatalog, "listBuckets"> &
    Pick<ObjectCatalog, "getManifestPage" | "getObject"> &
    Pick<UploadCatalog, "listUploads" | "listParts">;
  /** The store that must have every chunk that an object names. Default: chunks are not looked for. */
  readonly chunks?: Pick<ChunkStore, "hasChunks"> | undefined;
  /** Whether the copies of chunks are counted by the metadata of a cluster; no node is asked. Default false. */
  readonly countsCopies?: boolean | undefined;
  /** Called with each problem when it is found; the walk waits for it. */
  readonly onProblem: (problem: StoreProblem) => Promise<void> | void;
  /** Called now and then with how far the walk is. */
  readonly onProgress?: ((progress: { readonly stage: string; readonly count: number }) => void) | undefined;
}

/** Rows of one page of a walk. */
const PAGE = 100;
/** Chunk rows that are compared in one pass over all segments: about 50 MB. */
const ROWS_PER_PASS = 200_000;
/** Chunks without a row that one pass holds; of more, only the number is reported. */
const MISSING_MAX = 200_000;
/** Chunk rows of one page. */
const ROWS = 5000;
/** Doubtful chunks that are checked again and reported one by one; of more, only the number is reported. */
const DOUBTS_MAX = 10_000;

/**
 * Walks over all rows of the metadata and compares them with each other: objects with their buckets, checksums and manifests; manifests with their
 * parts, segments, sizes and counts; the reference counts of chunks with what names the chunks. If `chunks` is given, also looks for the named
 * chunks. May run while the store is in use: rows that change meanwhile are checked again before they are called damage. It reads no chunk's bytes.
 *
 * Memory: some pages, and the chunk rows that one pass compares (see `examineCounts`).
 */
export async function examineStore(options: ExamineOptions): Promise<void> {
  await examineObjects(options);
  await examineManifests(options);
  await examineUploads(options);
  await examineCounts(options);
}

async function examineObjects(options: ExamineOptions): Promise<void> {
  const { metadata, onProblem, onProgress, signal } = options;
  let cursor: string | undefined;
  let count = 0;
  do {
    const page = await metadata.examineObjects({ cursor, limit: PAGE }, { signal });
    for (const object of page.objects) {
      const { bucket, key } = object;
      const problem = object.problem === undefined ? await contentProblem(options, object) : { what: object.problem };
      if (problem !== undefined) await onProblem({ ...problem, bucket, key });
    }
    count += page.objects.length;
    onProgress?.({ stage: "objects", count });
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** What is wrong with an object's manifest or chunks, if the object has them and still exists. */
async function contentProblem(options: ExamineOptions, object: ExaminedObject): Promise<StoreProblem | undefined> {
  const { metadata, signal } = options;
  const { bucket, key, objectVersion, manifestId, sizeBytes } = object;
  if (manifestId === undefined) return undefined;
  const problem = await manifestProblem(options, { manifestId, sizeBytes });
  if (problem === undefined) return undefined;
  try {
    const now = await metadata.getObject({ bucket, key, chunkLimit: 0 }, { signal });
    return now?.info.objectVersion === objectVersion ? problem : undefined;
  } catch (error) {
    // Deleted meanwhile, with its bucket.
    if (AshlarError.is(error, "BUCKET_NOT_FOUND")) return undefined;
    throw error;
  }
}

async function manifestProblem(
  { metadata, chunks, countsCopies = false, signal }: ExamineOptions,
  { manifestId, sizeBytes }: { readonly manifestId: string; readonly sizeBytes: number },
): Promise<StoreProblem | undefined> {
  let fromOffset: number | undefined = 0;
  let end = 0;
  let firstMissing: string | undefined;
  let missingCount = 0;
  const copies = createCopiesCount();
  try {
    while (fromOffset !== undefined) {
      const page = await metadata.getManifestPage({ manifestId, fromOffset }, { signal });
      for (const chunk of page.chunks) {
        if (chunk.offset !== end) return { what: `its manifest has a gap at byte ${end}` };
        end += chunk.sizeBytes;
      }
      const chunkIds = page.chunks.map(({ chunkId }) => chunkId);
      if (countsCopies) copies.add(chunkIds, await metadata.copiesOf(chunkIds, { signal }));
      const there = chunks && (await presenceOf(chunks, chunkIds, signal));
      for (const [index, { chunkId }] of page.chunks.entries()) {
        if (there === undefined || there[index] !== undefined) continue;
        missingCount++;
        firstMissing ??= encodeHex(chunkId);
      }
      fromOffset = page.nextOffset;
    }
  } catch (error) {
    if (AshlarError.is(error, "METADATA_CORRUPT")) return { what: `its manifest cannot be read: ${error.message}` };
    if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return { what: "its manifest is missing" };
    throw error;
  }
  if (end !== sizeBytes) return { what: `its manifest has ${end} bytes, and the object ${sizeBytes}` };
  if (missingCount === 0) return copies.problem();
  const what = `${missingCount} of its chunks ${missingCount === 1 ? "is" : "are"} missing or cannot be looked at, the first ${firstMissing}`;
  return { what, lacksChunks: true };
}

/** Counts the chunks of one object that have too few copies. */
function createCopiesCount(): {
  add(chunkIds: readonly Digest[], copies: ReadonlyArray<ChunkCopies | undefined>): void;
  problem(): StoreProblem | undefined;
} {
  const found = { lost: new HurtChunks(), unreachable: new HurtChunks(), "at risk": new HurtChunks() };
  const texts = {
    lost: "no copy left",
    unreachable: "no copy on a node that is up",
    "at risk": "one copy left",
  } as const;
  return {
    add(chunkIds, copies) {
      for (const [index, chunkId] of chunkIds.entries()) {
        const { wanted = 0, held = 0, reachable = 0 } = copies[index] ?? {};
        if (wanted === 0) continue;
        if (held === 0) found.lost.add(chunkId);
        else if (reachable === 0) found.unreachable.add(chunkId);
        else if (reachable === 1 && wanted > 1) found["at risk"].add(chunkId);
      }
    },
    problem() {
      for (const kind of ["lost", "unreachable", "at risk"] as const) {
        const { count, first } = found[kind];
        if (first === undefined) continue;
        const what = `${count} of its chunks ${count === 1 ? "has" : "have"} ${texts[kind]}, the first ${encodeHex(first)}`;
        return { what, copies: kind };
      }
      return undefined;
    },
  };
}

class HurtChunks {
  count = 0;
  first: Digest | undefined;

  add(chunkId: Digest): void {
    this.count++;
    this.first ??= chunkId;
  }
}

/** Asks in halves if the store cannot look at all of them together: a chunk that the disk cannot show must not hide the others. */
async function presenceOf(
  chunks: NonNullable<ExamineOptions["chunks"]>,
  chunkIds: readonly Digest[],
  signal: AbortSignal | undefined,
): ReturnType<typeof chunks.hasChunks> {
  try {
    return await chunks.hasChunks(chunkIds, { claim: false, signal });
  } catch (error) {
    if (!AshlarError.is(error, "NODE_UNAVAILABLE")) throw error;
    if (chunkIds.length <= 1) return chunkIds.map(() => undefined);
    const half = Math.ceil(chunkIds.length / 2);
    return [
      ...(await presenceOf(chunks, chunkIds.slice(0, half), signal)),
      ...(await presenceOf(chunks, chunkIds.slice(half), signal)),
    ];
  }
}

async function examineManifests({ metadata, onProblem, signal }: ExamineOptions): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await metadata.examineManifests({ cursor, limit: PAGE }, { signal });
    for (const { manifestId, problem } of page.problems) {
      const [owner] = await metadata.manifestOwners({ manifestId, limit: 1 }, { signal });
      await onProblem({ what: `manifest ${manifestId}: ${problem}`, bucket: owner?.bucket, key: owner?.key });
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** Unfinished uploads and their parts, as far as a listing shows their damage. */
async function examineUploads({ metadata, onProblem, signal }: ExamineOptions): Promise<void> {
  for (const { bucket } of await metadata.listBuckets({ signal })) {
    try {
      let cursor: string | undefined;
      do {
        const page = await metadata.listUploads({ bucket, cursor }, { signal });
        for (const { uploadId } of page.uploads) {
          let afterPartNumber: number | undefined;
          do {
            const parts = await metadata.listParts({ uploadId, afterPartNumber }, { signal });
            afterPartNumber = parts.nextPartNumber;
          } while (afterPartNumber !== undefined);
        }
        cursor = page.nextCursor;
      } while (cursor !== undefined);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      if (error.code === "METADATA_CORRUPT") {
        await onProblem({ what: `an unfinished upload of bucket ${bucket}: ${error.message}` });
      } else if (error.code !== "UPLOAD_NOT_FOUND" && error.code !== "BUCKET_NOT_FOUND") throw error;
    }
  }
}

/** Ids in hex, both ends included. */
interface IdRange {
  readonly from: string;
  readonly to: string;
}

const LAST_ID = "f".repeat(64);

/**
 * Compares the reference count of each chunk row with how often segments name the chunk. To bound memory, it takes one pass over all segments for
 * each 200,000 chunk rows. One more pass checks the doubtful chunks. A count that changes during that pass is no damage: the chunk is in use.
 */
async function examineCounts(options: ExamineOptions): Promise<void> {
  const { metadata, signal } = options;
  let cursor: string | undefined;
  let from = "";
  let isFirst = true;
  do {
    const counts = new Map<string, number>();
    do {
      const page = await metadata.listChunkRows({ cursor, limit: ROWS }, { signal });
      for (const { chunkId, referenceCount } of page.rows) counts.set(encodeHex(chunkId), referenceCount);
      cursor = page.nextCursor;
    } while (cursor !== undefined && counts.size < ROWS_PER_PASS);
    await compareRange(options, counts, { range: { from, to: cursor ?? LAST_ID }, isFirst });
    from = cursor ?? "";
    isFirst = false;
  } while (cursor !== undefined);
}

async function compareRange(
  options: ExamineOptions,
  counts: ReadonlyMap<string, number>,
  { range, isFirst }: { readonly range: IdRange; readonly isFirst: boolean },
): Promise<void> {
  const { onProblem } = options;
  const left = new Map(counts);
  let lostCount = 0;
  let damagedCount = 0;
  let strayCount = 0;
  for await (const { manifestId, chunks } of segmentsOf(options)) {
    if (chunks === undefined) damagedCount++;
    if (manifestId === "") strayCount++;
    for (const { chunkId } of chunks ?? []) {
      const id = encodeHex(chunkId);
      // The last id of a pass is the cursor of the next.
      if (id > range.to || (range.from !== "" && id <= range.from)) continue;
      const count = left.get(id);
      if (count !== undefined || left.size < counts.size + MISSING_MAX) left.set(id, (count ?? 0) - 1);
      else lostCount++;
    }
  }
  if (isFirst && damagedCount > 0) {
    await onProblem({ what: `${damagedCount} segments of manifests cannot be read; what they name is not known` });
  }
  if (isFirst && strayCount > 0) await onProblem({ what: `${strayCount} segments belong to no part` });
  if (lostCount > 0) await onProblem({ what: `${lostCount} more chunks that are named have no row` });
  // A chunk that an unreadable segment names looks as if its row counted too many references.
  const doubts = [...left].filter(([, rest]) => (damagedCount > 0 ? rest < 0 : rest !== 0)).map(([id]) => id);
  await lookAgain(options, doubts.slice(0, DOUBTS_MAX));
  const moreCount = doubts.length - DOUBTS_MAX;
  if (moreCount > 0) await onProblem({ what: `${moreCount} more chunk rows do not count what names them` });
}

async function lookAgain(options: ExamineOptions, doubts: readonly string[]): Promise<void> {
  if (doubts.length === 0) return;
  const { metadata, onProblem, signal } = options;
  const ids = doubts.map(decodeDigestHex);
  const before = await metadata.chunkCounts(ids, { signal });
  const named = new Map(doubts.map((id) => [id, { count: 0, manifestId: "" }]));
  for await (const { manifestId, chunks } of segmentsOf(options)) {
    for (const { chunkId } of chunks ?? []) {
      const seen = named.get(encodeHex(chunkId));
      if (seen !== undefined) named.set(encodeHex(chunkId), { count: seen.count + 1, manifestId });
    }
  }
  const after = await metadata.chunkCounts(ids, { signal });
  for (const [index, id] of doubts.entries()) {
    const { count = 0, manifestId = "" } = named.get(id) ?? {};
    const rowCount = after[index];
    if (before[index] !== rowCount || (rowCount ?? 0) === count) continue;
    const [owner] = manifestId === "" ? [] : await metadata.manifestOwners({ manifestId, limit: 1 }, { signal });
    const said = rowCount === undefined ? "it has no row" : `its row counts ${rowCount}`;
    const what = `chunk ${id}: ${said}, and it is named ${count} times`;
    await onProblem({ what, bucket: owner?.bucket, key: owner?.key });
  }
}

function segmentsOf({ metadata, onProgress, signal }: ExamineOptions): AsyncGenerator<ManifestSegment> {
  return walkSegments(metadata, { signal }, (count) => onProgress?.({ stage: "manifests", count }));
}
