import { decodeDigestHex, encodeHex } from "../hash/digest.ts";
import type { ManifestSegment } from "../ports/index.ts";
import type { ExamineOptions } from "./examine-options.ts";
import { walkSegments } from "./named-chunks.ts";

/** Chunk rows that one pass over all segments is compared with: some 50 MB. */
const ROWS_PER_PASS = 200_000;
/** Chunks without a row that one pass holds; more of them are told as a number. */
const MISSING_MAX = 200_000;
/** Rows of one page. */
const ROWS = 5000;
/** Doubtful chunks that are looked at again and told one by one; of more only the number is told. */
const DOUBTS_MAX = 10_000;

/** Ids in hex, both ends included. */
interface IdRange {
  readonly from: string;
  readonly to: string;
}

const LAST_ID = "f".repeat(64);

/**
 * Compares what each chunk row counts with how often segments name the chunk. So that memory is bounded it takes one pass over all segments for each
 * 200,000 chunk rows. Doubts are looked at in one more pass, and a count that changed around it is no damage: it is in use.
 */
export async function examineCounts(options: ExamineOptions): Promise<void> {
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
  // What a segment that cannot be read named looks as if it were counted too often.
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
