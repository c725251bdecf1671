import { type Digest, encodeHex } from "../hash/digest.ts";
import type { CallOptions, ManifestSegment, MetadataExamination } from "../ports/index.ts";

/** Ids that one walk over the manifests looks for: about 10 MB. One round needs one walk in most stores. */
export const CANDIDATES_MAX = 50_000;

/** Segments of one page: about 600 KB. */
const SEGMENTS_PER_PAGE = 16;

/** All segments, a page at a time. @param onPage called with how many have been walked over. */
export async function* walkSegments(
  metadata: Pick<MetadataExamination, "listSegments">,
  options: CallOptions,
  onPage?: (count: number) => void,
): AsyncGenerator<ManifestSegment> {
  let cursor: string | undefined;
  let count = 0;
  do {
    const page = await metadata.listSegments({ cursor, limit: SEGMENTS_PER_PAGE }, options);
    yield* page.segments;
    count += page.segments.length;
    onPage?.(count);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** What a walk over all manifests found. */
export interface NamedChunks {
  /** The candidates that nothing names. */
  readonly free: readonly Digest[];
  /** How many of the named candidates have a row that is wrong for a named chunk. */
  readonly damagedCount: number;
  /** Segments that nobody can read: what they name is not known. */
  readonly unreadableCount: number;
}

/**
 * Finds which of some chunks no manifest or upload names, whatever their own rows say: a damaged or lost row must not cost bytes.
 *
 * Reads about 36 bytes for each chunk that any object has, far less than listing a store costs. Memory: the candidates and one page.
 *
 * @param candidates at most CANDIDATES_MAX.
 * @param isDamaged whether the row of a named chunk is wrong, given the references that it counts (`undefined`: there is no row). Called after the
 *   walk: a commit may have taken the chunk meanwhile.
 */
export async function findNamedChunks(
  metadata: Pick<MetadataExamination, "listSegments" | "chunkCounts">,
  candidates: readonly Digest[],
  { isDamaged, signal }: CallOptions & { readonly isDamaged: (referenceCount: number | undefined) => boolean },
): Promise<NamedChunks> {
  if (candidates.length === 0) return { free: [], damagedCount: 0, unreadableCount: 0 };
  const named = new Set<string>();
  let unreadableCount = 0;
  const ids = new Set(candidates.map(encodeHex));
  // Four bytes tell most chunks apart, without their hex.
  const heads = new Set(candidates.map(headOf));
  for await (const { chunks } of walkSegments(metadata, { signal })) {
    if (chunks === undefined) unreadableCount++;
    for (const { chunkId } of chunks ?? []) {
      if (!heads.has(headOf(chunkId))) continue;
      const id = encodeHex(chunkId);
      if (ids.has(id)) named.add(id);
    }
  }
  const isNamed = (chunkId: Digest): boolean => named.has(encodeHex(chunkId));
  const counts = named.size === 0 ? [] : await metadata.chunkCounts(candidates.filter(isNamed), { signal });
  return {
    free: candidates.filter((chunkId) => !isNamed(chunkId)),
    damagedCount: counts.filter(isDamaged).length,
    unreadableCount,
  };
}

function headOf(chunkId: Digest): number {
  return new DataView(chunkId.buffer, chunkId.byteOffset).getUint32(0);
}
