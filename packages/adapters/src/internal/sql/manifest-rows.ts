import { decodeSegment, splitIntoSegments } from "@ashlar/sdk/manifest";
import type { ChunkedContent, LocatedChunk, ManifestPage } from "@ashlar/sdk/ports";
import { raiseChunks } from "./chunk-rows.ts";
import { insertRows } from "./row-blocks.ts";
import { sealText } from "./sealed-row.ts";
import type { SqlSession } from "./sql-session.ts";

/** A part of a manifest on its way into the tables. */
export interface NewPart {
  readonly partId: string;
  readonly manifestId: string;
  readonly partNumber: number;
  /** In the object; null while the upload is open. */
  readonly startOffset: number | null;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly sha256?: string | undefined;
  readonly content: ChunkedContent;
}

/** Raises the chunks of a part and writes its rows. */
export async function insertPart(session: SqlSession, part: NewPart): Promise<void> {
  await raiseChunks(session, part.content);
  const { partId, manifestId, partNumber, startOffset, sizeBytes, etag, sha256 = null, content } = part;
  const createdAtMs = await session.nowMs();
  await session.query(
    `INSERT INTO manifest_parts (part_id, manifest_id, part_number, start_offset, size_bytes, chunk_count, etag, sha256, created_at_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      partId,
      manifestId,
      partNumber,
      startOffset,
      sizeBytes,
      content.chunks.length,
      sealText(etag, [partId, manifestId, partNumber, sizeBytes, sha256, createdAtMs]),
      sha256,
      createdAtMs,
    ],
  );
  await insertRows(
    session,
    { into: "manifest_segments (part_id, start_offset, size_bytes, chunk_count, data)" },
    splitIntoSegments(content.chunks).map((segment) => [
      ...[partId, segment.startOffset, segment.sizeBytes, segment.chunkCount],
      segment.data,
    ]),
  );
}

/** An object row names the manifest no more; with the last one it is released. */
export async function releaseManifest(session: SqlSession, manifestId: string | null): Promise<void> {
  if (manifestId === null) return;
  const { asInteger } = session.dialect;
  await session.query(
    `UPDATE manifests SET reference_count = reference_count - 1,
      released_at_ms = CASE WHEN reference_count = 1 THEN ${asInteger("$2")} ELSE released_at_ms END WHERE manifest_id = $1`,
    [manifestId, await session.nowMs()],
  );
}

interface SegmentRow {
  readonly part_offset: number;
  readonly start_offset: number;
  readonly data: Uint8Array;
}

/** What a page is cut from. */
export interface ManifestPageQuery {
  readonly manifestId: string;
  /** Of the whole object. */
  readonly sizeBytes: number;
  readonly fromOffset: number;
  readonly limit: number;
}

/**
 * A page from the chunk that contains `fromOffset`. Reads only the segments that it needs (they have up to 1,024 chunks each, so a page of
 * an object that was put at once is one or two of them).
 *
 * @returns `undefined` if the segments have gaps: the collector is dropping them at this moment.
 */
export async function readManifestPage(
  session: SqlSession,
  query: ManifestPageQuery,
): Promise<ManifestPage | undefined> {
  const { manifestId, sizeBytes, fromOffset, limit } = query;
  if (fromOffset >= sizeBytes) return { chunks: [] };
  let position = fromOffset === 0 ? { part: 0, segment: -1 } : await seekSegment(session, manifestId, fromOffset);
  if (position === undefined) return undefined;
  const chunks: LocatedChunk[] = [];
  let nextOffset: number | undefined;
  let end: number | undefined;
  for (let batch = 2; end !== sizeBytes && nextOffset === undefined; batch *= 4) {
    const segments: readonly SegmentRow[] = await nextSegments(session, { manifestId, ...position, limit: batch });
    for (const segment of segments) {
      let offset = segment.part_offset + segment.start_offset;
      if (end !== undefined && offset !== end) return undefined;
      for (const chunk of decodeSegment(segment.data)) {
        const located = { ...chunk, offset };
        offset += chunk.sizeBytes;
        if (offset <= fromOffset || nextOffset !== undefined) continue;
        if (chunks.length < limit) chunks.push(located);
        else nextOffset = located.offset;
      }
      end = offset;
      position = { part: segment.part_offset, segment: segment.start_offset };
      if (nextOffset !== undefined) break;
    }
    if (segments.length < batch && nextOffset === undefined && end !== sizeBytes) return undefined;
  }
  if ((chunks[0]?.offset ?? sizeBytes) > fromOffset) return undefined;
  return { chunks, ...(nextOffset === undefined ? {} : { nextOffset }) };
}

/** Just before the segment that contains `offset`. */
async function seekSegment(
  session: SqlSession,
  manifestId: string,
  offset: number,
): Promise<{ part: number; segment: number } | undefined> {
  const [part] = await session.query<{ part_id: string; start_offset: number }>(
    `SELECT part_id, start_offset FROM manifest_parts WHERE manifest_id = $1 AND released_at_ms IS NULL AND start_offset <= $2
      ORDER BY start_offset DESC, part_number DESC LIMIT 1`,
    [manifestId, offset],
  );
  if (part === undefined) return undefined;
  const [segment] = await session.query<{ start_offset: number | null }>(
    "SELECT max(start_offset) AS start_offset FROM manifest_segments WHERE part_id = $1 AND start_offset <= $2",
    [part.part_id, offset - part.start_offset],
  );
  return { part: part.start_offset, segment: (segment?.start_offset ?? 0) - 1 };
}

function nextSegments(
  session: SqlSession,
  query: { readonly manifestId: string; readonly part: number; readonly segment: number; readonly limit: number },
): Promise<readonly SegmentRow[]> {
  return session.query<SegmentRow>(
    `SELECT p.start_offset AS part_offset, s.start_offset, s.data FROM manifest_parts p
      JOIN manifest_segments s ON s.part_id = p.part_id
      WHERE p.manifest_id = $1 AND p.released_at_ms IS NULL AND p.start_offset >= $2
        AND (p.start_offset > $2 OR s.start_offset > $3)
      ORDER BY p.start_offset, s.start_offset LIMIT $4`,
    [query.manifestId, query.part, query.segment, query.limit],
  );
}
