import type { BucketInfo } from "@ashlar/sdk/ports";
import { bucketExists, bucketNotEmpty, bucketNotFound, UPLOADS_COUNTED_MAX } from "../metadata/not-found.ts";
import type { SqlSession } from "./sql-session.ts";

interface BucketRow {
  readonly bucket: string;
  readonly created_at_ms: number;
}

export async function createBucket(session: SqlSession, bucket: string): Promise<BucketInfo> {
  const createdAtMs = await session.nowMs();
  const inserted = await session.query(
    "INSERT INTO buckets (bucket, created_at_ms) VALUES ($1, $2) ON CONFLICT (bucket) DO NOTHING RETURNING bucket",
    [bucket, createdAtMs],
  );
  if (inserted.length === 0) throw bucketExists(bucket);
  return { bucket, createdAtMs };
}

export async function getBucket(session: SqlSession, bucket: string): Promise<BucketInfo | undefined> {
  const [row] = await session.query<BucketRow>("SELECT bucket, created_at_ms FROM buckets WHERE bucket = $1", [bucket]);
  return row === undefined ? undefined : { bucket, createdAtMs: row.created_at_ms };
}

export async function listBuckets(session: SqlSession): Promise<readonly BucketInfo[]> {
  const rows = await session.query<BucketRow>("SELECT bucket, created_at_ms FROM buckets ORDER BY bucket");
  return rows.map((row) => ({ bucket: row.bucket, createdAtMs: row.created_at_ms }));
}

export async function deleteBucket(session: SqlSession, bucket: string): Promise<void> {
  await session.lockBucket(bucket, "exclusive");
  await assertBucketExists(session, bucket);
  const [found] = await session.query<{ readonly has_objects: number; readonly upload_count: number }>(
    `SELECT CASE WHEN EXISTS (SELECT 1 FROM objects WHERE bucket = $1) THEN 1 ELSE 0 END AS has_objects,
       CAST((SELECT COUNT(*) FROM (SELECT 1 FROM uploads WHERE bucket = $1 LIMIT ${UPLOADS_COUNTED_MAX}) AS found) AS INTEGER) AS upload_count`,
    [bucket],
  );
  const contents = { hasObjects: found?.has_objects === 1, uploadCount: found?.upload_count ?? 0 };
  if (contents.hasObjects || contents.uploadCount > 0) throw bucketNotEmpty(bucket, contents);
  await session.query("DELETE FROM buckets WHERE bucket = $1", [bucket]);
}

/** For writers: the bucket is there and stays until the transaction ends. @throws {AshlarError} BUCKET_NOT_FOUND. */
export async function holdBucket(session: SqlSession, bucket: string): Promise<void> {
  await session.lockBucket(bucket, "shared");
  await assertBucketExists(session, bucket);
}

/** For readers. @throws {AshlarError} BUCKET_NOT_FOUND. */
export async function assertBucketExists(session: SqlSession, bucket: string): Promise<void> {
  if ((await getBucket(session, bucket)) === undefined) throw bucketNotFound(bucket);
}
