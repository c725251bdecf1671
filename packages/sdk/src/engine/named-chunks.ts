import { type Digest, encodeHex } from "../hash/digest.ts";
import type { CallOptions, MetadataExamination } from "../ports/index.ts";

/** Ids that one walk over the manifests looks for: some 10 MB, and a round of most stores needs one walk. */
export const CANDIDATES_MAX = 50_000;

/** Segments of one page: some 600 KB. */
const SEGMENTS_PER_PAGE = 16;

/** What a walk over all manifests found. */
export interface NamedChunks {
  /** The candidates that are named, in hex. */
  readonly named: ReadonlySet<string>;
  /** Segments that nobody can read: what they name is not known. */
  readonly unreadableCount: number;
}

/**
 * Looks which of some chunks a manifest or an upload names, whatever their own rows say: a row that was damaged or lost must not cost bytes.
 *
 * Reads some 36 bytes for each chunk that any object has, far less than listing a store costs. Memory: the candidates and one page.
 *
 * @param candidates at most CANDIDATES_MAX.
 */
export async function findNamedChunks(
  metadata: Pick<MetadataExamination, "listSegments">,
  candidates: readonly Digest[],
  options: CallOptions,
): Promise<NamedChunks> {
  const named = new Set<string>();
  let unreadableCount = 0;
  if (candidates.length === 0) return { named, unreadableCount };
  const ids = new Set(candidates.map(encodeHex));
  // Most chunks are told apart by four bytes, without their hex.
  const heads = new Set(candidates.map(headOf));
  let cursor: string | undefined;
  do {
    const page = await metadata.listSegments({ cursor, limit: SEGMENTS_PER_PAGE }, options);
    for (const { chunks } of page.segments) {
      if (chunks === undefined) unreadableCount++;
      for (const { chunkId } of chunks ?? []) {
        if (!heads.has(headOf(chunkId))) continue;
        const id = encodeHex(chunkId);
        if (ids.has(id)) named.add(id);
      }
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { named, unreadableCount };
}

function headOf(chunkId: Digest): number {
  return new DataView(chunkId.buffer, chunkId.byteOffset).getUint32(0);
}
