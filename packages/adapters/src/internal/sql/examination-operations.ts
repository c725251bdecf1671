import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import { decodeSegment } from "@ashlar/sdk/manifest";
import type { ChunkRowPage, ExaminationQuery, ManifestSegment, SegmentPage } from "@ashlar/sdk/ports";
import { queryIn } from "./row-batches.ts";
import type { SqlSession } from "./sql-session.ts";

/** Segments as they are stored. The caller decodes them, so that a walk keeps no reader waiting. */
interface StoredSegments {
  readonly segments: readonly StoredSegment[];
  readonly nextCursor?: string | undefined;
}

interface StoredSegment {
  readonly manifestId: string;
  readonly partId: string;
  readonly startOffset: number;
  readonly data: Uint8Array;
}

interface SegmentRow {
  readonly part_id: string;
  readonly start_offset: number;
  readonly manifest_id: string | null;
  readonly data: Uint8Array;
}

/** In the order of the primary key. The cursor is the offset and the part of the last segment. */
export async function listStoredSegments(session: SqlSession, query: ExaminationQuery): Promise<StoredSegments> {
  const [, offset = "-1", partId = ""] = /^(-?\d+) (.*)$/s.exec(query.cursor ?? "") ?? [];
  const rows = await session.query<SegmentRow>(
    `SELECT s.part_id, s.start_offset, p.manifest_id, s.data FROM manifest_segments s
      LEFT JOIN manifest_parts p ON p.part_id = s.part_id
      WHERE s.part_id >= $1 AND (s.part_id > $1 OR s.start_offset > $2) ORDER BY s.part_id, s.start_offset LIMIT $3`,
    [partId, Number(offset), query.limit],
  );
  const last = rows.length < query.limit ? undefined : rows.at(-1);
  return {
    segments: rows.map(({ manifest_id, part_id: partId, start_offset: startOffset, data }) => ({
      ...{ manifestId: manifest_id ?? "", partId, startOffset },
      data: Uint8Array.from(data),
    })),
    ...(last === undefined ? {} : { nextCursor: `${last.start_offset} ${last.part_id}` }),
  };
}

export function decodeSegments({ segments, nextCursor }: StoredSegments): SegmentPage {
  return { segments: segments.map(decodeOne), ...(nextCursor === undefined ? {} : { nextCursor }) };
}

function decodeOne({ manifestId, partId, startOffset, data }: StoredSegment): ManifestSegment {
  try {
    return { manifestId, chunks: decodeSegment(data, { partId, startOffset }) };
  } catch (error) {
    if (AshlarError.is(error, "METADATA_CORRUPT")) return { manifestId, chunks: undefined };
    throw error;
  }
}

export async function chunkCounts(
  session: SqlSession,
  chunkIds: readonly Digest[],
): Promise<ReadonlyArray<number | undefined>> {
  const rows = await queryIn<{ chunk_id: Uint8Array; reference_count: number }>(session, chunkIds, {
    sql: (list) => `SELECT chunk_id, reference_count FROM chunks WHERE chunk_id IN (${list})`,
  });
  const counts = new Map(rows.map((row) => [encodeHex(row.chunk_id), row.reference_count]));
  return chunkIds.map((chunkId) => counts.get(encodeHex(chunkId)));
}

/** The cursor is the last id in hex. */
export async function listChunkRows(session: SqlSession, query: ExaminationQuery): Promise<ChunkRowPage> {
  const rows = await session.query<{ chunk_id: Uint8Array; reference_count: number }>(
    "SELECT chunk_id, reference_count FROM chunks WHERE chunk_id > $1 ORDER BY chunk_id LIMIT $2",
    [Buffer.from(query.cursor ?? "", "hex"), query.limit],
  );
  const last = rows.length < query.limit ? undefined : rows.at(-1);
  return {
    rows: rows.map((row) => ({ chunkId: digestFromBytes(row.chunk_id), referenceCount: row.reference_count })),
    ...(last === undefined ? {} : { nextCursor: encodeHex(last.chunk_id) }),
  };
}
