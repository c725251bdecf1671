import type { ListObjectsQuery, ObjectListPage } from "@ashlar/sdk/ports";
import { bytesToByteText, byteTextToBytes, successorOf } from "../metadata/byte-text.ts";
import { type ListRange, type ListStep, pageOf, resolveListRange } from "../metadata/list-range.ts";
import { assertBucketExists } from "./bucket-operations.ts";
import { INFO_COLUMNS, type InfoRow, infoOf } from "./object-rows.ts";
import type { SqlSession } from "./sql-session.ts";

export async function listObjects(session: SqlSession, query: ListObjectsQuery): Promise<ObjectListPage> {
  const range = resolveListRange(query);
  const rows = await (range.delimiter === undefined
    ? scan(session, query.bucket, range)
    : skipScan(session, query.bucket, range));
  if (rows.length === 0) await assertBucketExists(session, query.bucket);
  return pageOf(
    range,
    // The row behind the page only shows that there is one: if it is damaged, that is told on its own page.
    rows.map((row, index) => (index < range.limit ? stepOf(row) : { key: bytesToByteText(row.key), entry: NOT_SHOWN })),
  );
}

const NOT_SHOWN: ListStep["entry"] = { objectVersion: "", sizeBytes: 0, etag: "", createdAtMs: 0 };

/** @throws {AshlarError} METADATA_CORRUPT if the row is not what was written. */
function stepOf(row: InfoRow): ListStep {
  const { objectVersion, sizeBytes, etag, sha256, createdAtMs } = infoOf(row);
  const digest = sha256 === undefined ? {} : { sha256 };
  return { key: bytesToByteText(row.key), entry: { objectVersion, sizeBytes, etag, ...digest, createdAtMs } };
}

function scan(session: SqlSession, bucket: string, range: ListRange): Promise<readonly InfoRow[]> {
  return session.query<InfoRow>(
    `SELECT ${INFO_COLUMNS} FROM objects
      WHERE bucket = $1 AND is_latest AND key >= $2 AND key < $3 ORDER BY key LIMIT $4`,
    [bucket, byteTextToBytes(range.lower), byteTextToBytes(range.upper), range.limit + 1],
  );
}

/**
 * Walks the index by seeks: from a key to the next one, or past all keys of the key's common prefix. A page takes one seek per row, however
 * many keys lie beneath a prefix. The walk runs inside the database, so a page is one round trip.
 */
function skipScan(session: SqlSession, bucket: string, range: ListRange): Promise<readonly InfoRow[]> {
  const { head, tail, position, concat, asBytes, asInteger } = session.dialect;
  const found = position(tail("w.key", "$6"), asBytes("$5"));
  // Up to the delimiter, then the delimiter with its last byte raised: the first key behind the common prefix.
  const behindPrefix = concat(head("w.key", `$6 - 2 + ${found}`), asBytes("$7"));
  const behindKey = concat("w.key", asBytes("$8"));
  const firstKey = (lower: string): string =>
    `(SELECT o.key FROM objects o WHERE o.bucket = $1 AND o.is_latest AND o.key >= ${lower} AND o.key < $3 ORDER BY o.key LIMIT 1)`;
  const delimiter = range.delimiter ?? "";
  // CROSS JOIN stops SQLite from reversing the join, which would read every key of the bucket (list-plan.test.ts).
  return session.query<InfoRow>(
    `WITH RECURSIVE walk (step, key) AS (
        SELECT ${asInteger("1")}, ${firstKey("$2")}
        UNION ALL
        SELECT w.step + 1, ${firstKey(`(CASE WHEN ${found} > 0 THEN ${behindPrefix} ELSE ${behindKey} END)`)}
        FROM walk w WHERE w.key IS NOT NULL AND w.step <= $4
      )
      SELECT ${INFO_COLUMNS.replaceAll(/\w+/g, "o.$&")}
      FROM walk w CROSS JOIN objects o WHERE o.bucket = $1 AND o.key = w.key AND o.is_latest ORDER BY w.step`,
    [
      ...[bucket, byteTextToBytes(range.lower), byteTextToBytes(range.upper), range.limit],
      ...[
        byteTextToBytes(delimiter),
        range.prefix.length + 1,
        byteTextToBytes(successorOf(delimiter)),
        Uint8Array.of(0),
      ],
    ],
  );
}
