import { AshlarError } from "@ashlar/sdk/errors";
import { decodeSegment, type SegmentChunk, splitIntoSegments } from "@ashlar/sdk/manifest";
import type { ChunkedContent, LocatedChunk, ManifestPage } from "@ashlar/sdk/ports";
import { raiseStatements } from "./chunk-rows.ts";
import { PART_COLUMNS, type PartRow, sealPart, unsealPart } from "./part-rows.ts";
import { insertStatements } from "./row-batches.ts";
import type { SqlSession, SqlStatement } from "./sql-session.ts";

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

/**
 * Raises the counts of the chunks of a part and writes its rows. The caller checks the layouts of the chunks.
 *
 * @throws {AshlarError} INVALID_ARGUMENT as {@link raiseStatements}.
 */
export async function insertPartStatements(session: SqlSession, part: NewPart): Promise<readonly SqlStatement[]> {
  const { partId, manifestId, partNumber, startOffset, sizeBytes, etag, sha256 = null, content } = part;
  const createdAtMs = await session.nowMs();
  const row = sealPart({
    ...{ part_id: partId, manifest_id: manifestId, part_number: partNumber, start_offset: startOffset },
    ...{ size_bytes: sizeBytes, chunk_count: content.chunks.length, etag, sha256, created_at_ms: createdAtMs },
  });
  const segments = splitIntoSegments(content.chunks, partId).map((segment) => [
    ...[partId, segment.startOffset, segment.sizeBytes, segment.chunkCount],
    segment.data,
  ]);
  const segmentColumns = "manifest_segments (part_id, start_offset, size_bytes, chunk_count, data)";
  return [
    ...(await raiseStatements(session, content.chunks)),
    ...insertStatements(session.dialect, { into: `manifest_parts (${PART_COLUMNS.join(", ")})` }, [
      PART_COLUMNS.map((column) => row[column]),
    ]),
    ...insertStatements(session.dialect, { into: segmentColumns }, segments),
  ];
}

/** For an object row that stops naming the manifest; the last one releases it. A count that is too low is damage, and must not stop the delete. */
export async function releaseStatement(session: SqlSession, manifestId: string): Promise<SqlStatement> {
  const { asInteger } = session.dialect;
  return {
    sql: `UPDATE manifests SET reference_count = CASE WHEN reference_count > 0 THEN reference_count - 1 ELSE 0 END,
      released_at_ms = CASE WHEN reference_count <= 1 THEN ${asInteger("$2")} ELSE released_at_ms END WHERE manifest_id = $1`,
    params: [manifestId, await session.nowMs()],
  };
}

/** A segment, and the part that it belongs to. */
interface SegmentRow extends PartRow {
  readonly start_offset: number;
  readonly segment_offset: number;
  readonly segment_bytes: number;
  readonly segment_chunks: number;
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
 * @returns `undefined` if the segments have gaps, or a wrong total size: the collector is dropping them at this moment, or rows are damaged.
 * @throws {AshlarError} METADATA_CORRUPT if a row is not what was written.
 */
export async function readManifestPage(
  session: SqlSession,
  query: ManifestPageQuery,
): Promise<ManifestPage | undefined> {
  const { manifestId, sizeBytes, fromOffset, limit } = query;
  if (fromOffset >= sizeBytes) return (await endsAt(session, query)) ? { chunks: [] } : undefined;
  let position = fromOffset === 0 ? { part: 0, segment: -1 } : await seekSegment(session, manifestId, fromOffset);
  if (position === undefined) return undefined;
  const chunks: LocatedChunk[] = [];
  let nextOffset: number | undefined;
  let last: SegmentRow | undefined;
  let end: number | undefined;
  for (let batch = 2; end !== sizeBytes && nextOffset === undefined; batch *= 4) {
    const segments = await nextSegments(session, { manifestId, ...position, limit: batch });
    for (const segment of segments) {
      if (!follows(segment, last)) return undefined;
      if (segment.part_id !== last?.part_id) unsealPart(segment);
      let offset = segment.start_offset + segment.segment_offset;
      for (const chunk of decodeSegmentRow(segment)) {
        const located = { ...chunk, offset };
        offset += chunk.sizeBytes;
        if (offset <= fromOffset || nextOffset !== undefined) continue;
        if (chunks.length < limit) chunks.push(located);
        else nextOffset = located.offset;
      }
      last = segment;
      end = offset;
      position = { part: segment.start_offset, segment: segment.segment_offset };
      if (nextOffset !== undefined) break;
    }
    if (segments.length < batch && nextOffset === undefined && end !== sizeBytes) return undefined;
  }
  if (nextOffset === undefined && last !== undefined && end !== endOfPart(last)) return undefined;
  if ((chunks[0]?.offset ?? sizeBytes) > fromOffset) return undefined;
  return { chunks, ...(nextOffset === undefined ? {} : { nextOffset }) };
}

/** Where a segment ends in the object. */
const endOf = (row: SegmentRow): number => row.start_offset + row.segment_offset + row.segment_bytes;
const endOfPart = (row: PartRow): number => (row.start_offset ?? 0) + row.size_bytes;

/** Whether nothing is missing between two segments. */
function follows(segment: SegmentRow, last: SegmentRow | undefined): boolean {
  if (last === undefined) return true;
  if (endOf(last) !== segment.start_offset + segment.segment_offset) return false;
  return segment.part_id === last.part_id || (endOf(last) === endOfPart(last) && segment.segment_offset === 0);
}

/** The chunks of a segment. @throws {AshlarError} METADATA_CORRUPT if it is not what was written there. */
function decodeSegmentRow(row: SegmentRow): readonly SegmentChunk[] {
  const { part_id: partId, segment_offset: startOffset, segment_bytes, segment_chunks } = row;
  const chunks = decodeSegment(row.data, { partId, startOffset });
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
  if (sizeBytes === segment_bytes && chunks.length === segment_chunks) return chunks;
  throw new AshlarError("METADATA_CORRUPT", "a manifest segment is not what was written: its size is another one", {
    details: { partId, startOffset: String(startOffset) },
  });
}

/** Whether the parts end where the manifest says: otherwise a wrong size would look like an early end. */
async function endsAt(session: SqlSession, { manifestId, sizeBytes }: ManifestPageQuery): Promise<boolean> {
  const part = await lastPart(session, manifestId, Number.MAX_SAFE_INTEGER);
  return part !== undefined && endOfPart(unsealPart(part)) === sizeBytes;
}

/** The part with the last byte at or before `offset`. */
async function lastPart(session: SqlSession, manifestId: string, offset: number): Promise<PartRow | undefined> {
  const [part] = await session.query<PartRow>(
    `SELECT ${PART_COLUMNS.join(", ")} FROM manifest_parts WHERE manifest_id = $1 AND released_at_ms IS NULL AND start_offset <= $2
      ORDER BY start_offset DESC, part_number DESC LIMIT 1`,
    [manifestId, offset],
  );
  return part;
}

/** Just before the segment that contains `offset`. */
async function seekSegment(
  session: SqlSession,
  manifestId: string,
  offset: number,
): Promise<{ part: number; segment: number } | undefined> {
  const part = await lastPart(session, manifestId, offset);
  if (part === undefined) return undefined;
  const start = part.start_offset ?? 0;
  const [segment] = await session.query<{ start_offset: number | null }>(
    "SELECT max(start_offset) AS start_offset FROM manifest_segments WHERE part_id = $1 AND start_offset <= $2",
    [part.part_id, offset - start],
  );
  return { part: start, segment: (segment?.start_offset ?? 0) - 1 };
}

function nextSegments(
  session: SqlSession,
  query: { readonly manifestId: string; readonly part: number; readonly segment: number; readonly limit: number },
): Promise<readonly SegmentRow[]> {
  return session.query<SegmentRow>(
    `SELECT ${PART_COLUMNS.map((column) => `p.${column}`).join(", ")}, s.start_offset AS segment_offset,
        s.size_bytes AS segment_bytes, s.chunk_count AS segment_chunks, s.data FROM manifest_parts p
      JOIN manifest_segments s ON s.part_id = p.part_id
      WHERE p.manifest_id = $1 AND p.released_at_ms IS NULL AND p.start_offset >= $2
        AND (p.start_offset > $2 OR s.start_offset > $3)
      ORDER BY p.start_offset, s.start_offset LIMIT $4`,
    [query.manifestId, query.part, query.segment, query.limit],
  );
}
