import { AshlarError } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import type { ExaminedObject } from "../ports/index.ts";
import { examineCounts } from "./examine-counts.ts";
import type { ExamineOptions, StoreProblem } from "./examine-options.ts";

/** Rows of one page of a walk. */
const PAGE = 100;

/**
 * Walks over all rows of the metadata and compares them with each other: objects with their buckets, checksums and manifests, manifests with their
 * parts, segments, sizes and counts, chunk counts with what names them; and, where `chunks` is given, with the chunks that are there. May run while the
 * store is in use: what changes meanwhile is looked at again before it is called damage. It reads no chunk's bytes.
 *
 * Memory: some pages, and the chunk rows that one pass compares; see examineCounts.
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

/** What is wrong with an object's manifest or chunks, if it has them and still is there. */
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
  { metadata, chunks, signal }: ExamineOptions,
  { manifestId, sizeBytes }: { readonly manifestId: string; readonly sizeBytes: number },
): Promise<StoreProblem | undefined> {
  let fromOffset: number | undefined = 0;
  let end = 0;
  let firstMissing: string | undefined;
  let missingCount = 0;
  try {
    while (fromOffset !== undefined) {
      const page = await metadata.getManifestPage({ manifestId, fromOffset }, { signal });
      for (const chunk of page.chunks) {
        if (chunk.offset !== end) return { what: `its manifest has a gap at byte ${end}` };
        end += chunk.sizeBytes;
      }
      const chunkIds = page.chunks.map(({ chunkId }) => chunkId);
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
  if (missingCount === 0) return undefined;
  const what = `${missingCount} of its chunks ${missingCount === 1 ? "is" : "are"} missing or cannot be looked at, the first ${firstMissing}`;
  return { what, lacksChunks: true };
}

/** In halves where they cannot be looked at together: one that the disk cannot show must not hide the others. */
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

/** Unfinished uploads and their parts, as far as a listing tells. */
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
