import { AshlarError } from "@ashlar/sdk/errors";
import type {
  ExaminationQuery,
  ExaminedObject,
  ExaminedObjectPage,
  ManifestOwner,
  ManifestProblemPage,
} from "@ashlar/sdk/ports";
import { bytesToByteText, fromByteText } from "../metadata/byte-text.ts";
import { INFO_COLUMNS, type InfoRow, infoOf } from "./object-rows.ts";
import type { SqlSession } from "./sql-session.ts";

interface ObjectRow extends InfoRow {
  readonly is_latest: boolean | number;
  readonly is_delete_marker: boolean | number;
  readonly inline_data: Uint8Array | null;
  readonly known_bucket: string | null;
}

/** In the order of the primary key. The cursor is the last primary key as JSON, with the object's key in hex. */
export async function examineObjects(session: SqlSession, query: ExaminationQuery): Promise<ExaminedObjectPage> {
  const [bucket, key, objectVersion] =
    query.cursor === undefined ? ["", "", ""] : (JSON.parse(query.cursor) as [string, string, string]);
  const rows = await session.query<ObjectRow>(
    `SELECT ${INFO_COLUMNS.replaceAll(/\w+/g, "o.$&")}, o.is_latest, o.is_delete_marker, o.inline_data, b.bucket AS known_bucket
      FROM objects o LEFT JOIN buckets b ON b.bucket = o.bucket
      WHERE o.bucket >= $1 AND (o.bucket > $1 OR (o.key >= $2 AND (o.key > $2 OR o.object_version > $3)))
      ORDER BY o.bucket, o.key, o.object_version LIMIT $4`,
    [bucket, Buffer.from(key, "hex"), objectVersion, query.limit],
  );
  const last = rows.length < query.limit ? undefined : rows.at(-1);
  const cursor = last && JSON.stringify([last.bucket, Buffer.from(last.key).toString("hex"), last.object_version]);
  return { objects: rows.map(examined), ...(cursor === undefined ? {} : { nextCursor: cursor }) };
}

function examined(row: ObjectRow): ExaminedObject {
  const problem = problemOf(row);
  return {
    bucket: row.bucket,
    key: keyOf(row.key),
    objectVersion: row.object_version,
    sizeBytes: row.size_bytes,
    ...(row.manifest_id === null ? {} : { manifestId: row.manifest_id }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function problemOf(row: ObjectRow): string | undefined {
  try {
    infoOf(row);
  } catch (error) {
    if (AshlarError.is(error, "METADATA_CORRUPT")) return "its row is not what was written";
    throw error;
  }
  if (row.known_bucket === null) return "its bucket has no row, so that nobody can read it";
  // Versions that are not the latest, and delete markers, are not written yet.
  if (!row.is_latest) return "its row says that it is not the latest version, so that nobody can read it";
  if (row.is_delete_marker) return "its row says that it is deleted";
  if (row.manifest_id === null && row.inline_data?.byteLength !== row.size_bytes) return "its bytes are missing";
  return undefined;
}

function keyOf(bytes: Uint8Array): string {
  try {
    return fromByteText(bytesToByteText(bytes));
  } catch {
    return Buffer.from(bytes).toString("latin1"); // a damaged key need not be UTF-8
  }
}

interface ManifestRow {
  readonly manifest_id: string;
  readonly state: string;
  readonly reference_count: number;
  readonly released_at_ms: number | null;
  readonly named: number;
  readonly open: number;
}

/** Runs one statement, so that rows are compared as they were at one moment. */
export async function examineManifests(session: SqlSession, query: ExaminationQuery): Promise<ManifestProblemPage> {
  const rows = await session.query<ManifestRow>(
    `SELECT m.manifest_id, m.state, m.reference_count, m.released_at_ms,
        (SELECT count(*) FROM objects o WHERE o.manifest_id = m.manifest_id) AS named,
        (SELECT count(*) FROM uploads u WHERE u.upload_id = m.manifest_id) AS open
      FROM manifests m WHERE m.manifest_id > $1 ORDER BY m.manifest_id LIMIT $2`,
    [query.cursor ?? "", query.limit],
  );
  const last = rows.length < query.limit ? undefined : rows.at(-1);
  return {
    problems: rows.flatMap((row) => {
      const problem = manifestProblem(row);
      return problem === undefined ? [] : [{ manifestId: row.manifest_id, problem }];
    }),
    ...(last === undefined ? {} : { nextCursor: last.manifest_id }),
  };
}

function manifestProblem(row: ManifestRow): string | undefined {
  const { state, reference_count: count, released_at_ms: releasedAtMs } = row;
  const [named, open] = [Number(row.named), Number(row.open)];
  if (count !== named) return `its row counts ${count} objects, and ${named} name it`;
  const wanted = open > 0 ? "open" : named > 0 ? "sealed" : undefined;
  if (wanted !== undefined && state !== wanted) return `its row says that it is ${state}, and it is ${wanted}`;
  if (wanted !== undefined && releasedAtMs !== null) return "its row says that nothing names it any more";
  if (wanted === undefined && releasedAtMs === null) return "nothing names it, and its space is never freed";
  return undefined;
}

export async function manifestOwners(
  session: SqlSession,
  query: { readonly manifestId: string; readonly limit: number },
): Promise<readonly ManifestOwner[]> {
  const rows = await session.query<{ bucket: string; key: Uint8Array }>(
    "SELECT bucket, key FROM objects WHERE manifest_id = $1 ORDER BY bucket, key LIMIT $2",
    [query.manifestId, query.limit],
  );
  return rows.map((row) => ({ manifestId: query.manifestId, bucket: row.bucket, key: keyOf(row.key) }));
}
