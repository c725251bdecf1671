import type { PartInfo } from "@ashlar/sdk/ports";
import { valuesStatements } from "./row-batches.ts";
import { type SealedFields, sealText, unsealText } from "./sealed-row.ts";
import type { SqlDialect } from "./sql-dialect.ts";
import type { SqlStatement } from "./sql-session.ts";

/** Columns of a part; see {@link partOf}. */
export const PART_COLUMNS = [
  ...["part_id", "manifest_id", "part_number", "start_offset", "size_bytes", "chunk_count", "etag", "sha256"],
  "created_at_ms",
] as const;

/** A row with PART_COLUMNS. */
export interface PartRow {
  readonly part_id: string;
  readonly manifest_id: string;
  readonly part_number: number;
  /** In the object; null while the upload is open. */
  readonly start_offset: number | null;
  readonly size_bytes: number;
  readonly chunk_count: number;
  /** With the row's checksum in front: see {@link sealPart}. */
  readonly etag: string;
  readonly sha256: string | null;
  readonly created_at_ms: number;
}

/** The row of a part with its checksum, which covers its place in the object too: it is renewed when the place changes. */
export function sealPart(part: PartRow): PartRow {
  return { ...part, etag: sealText(part.etag, sealedFields(part)) };
}

/** The inverse of {@link sealPart}. @throws {AshlarError} METADATA_CORRUPT if the row is not what was written. */
export function unsealPart(row: PartRow): PartRow {
  const { part_id, manifest_id, part_number, size_bytes, sha256, created_at_ms } = row;
  // Form 1 covered neither the place nor the number of chunks.
  const fewer = [part_id, manifest_id, part_number, size_bytes, sha256, created_at_ms];
  return { ...row, etag: unsealText(row.etag, sealedFields(row), fewer) };
}

function sealedFields(row: PartRow): SealedFields {
  const { part_id, manifest_id, part_number, start_offset, size_bytes, chunk_count, sha256, created_at_ms } = row;
  return [part_id, manifest_id, part_number, start_offset, size_bytes, chunk_count, sha256, created_at_ms];
}

/** @throws {AshlarError} METADATA_CORRUPT if the row is not what was written. */
export function partOf(row: PartRow): PartInfo {
  const { part_number, size_bytes, etag, sha256, created_at_ms } = unsealPart(row);
  return {
    partNumber: part_number,
    sizeBytes: size_bytes,
    etag,
    ...(sha256 === null ? {} : { sha256 }),
    createdAtMs: created_at_ms,
  };
}

/** Gives the parts of an upload, in their order, their places in the object; segments stay as they are. */
export function placeStatements(dialect: SqlDialect, rows: readonly PartRow[]): readonly SqlStatement[] {
  let startOffset = 0;
  const placed = rows.map((row) => {
    const { part_id, start_offset, etag } = sealPart({ ...unsealPart(row), start_offset: startOffset });
    startOffset += row.size_bytes;
    return [part_id, start_offset, etag];
  });
  return valuesStatements(dialect, placed, {
    row: ([partId = "", place = "", etag = ""]) => `(${partId}, ${dialect.asInteger(place)}, ${etag})`,
    sql: (values) => `WITH placed (part_id, start_offset, etag) AS (VALUES ${values})
      UPDATE manifest_parts SET start_offset = placed.start_offset, etag = placed.etag
      FROM placed WHERE manifest_parts.part_id = placed.part_id`,
  });
}
