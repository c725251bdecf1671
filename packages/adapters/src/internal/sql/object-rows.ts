import { assertWriteCondition, type CommitCondition, type Durability, type ObjectInfo } from "@ashlar/sdk/ports";
import { bytesToByteText, byteTextToBytes, fromByteText, toByteText } from "../metadata/byte-text.ts";
import { bucketNotFound } from "../metadata/not-found.ts";
import { releaseStatement } from "./manifest-rows.ts";
import { sealAttributes, unsealAttributes } from "./sealed-row.ts";
import type { SqlSession, SqlStatement } from "./sql-session.ts";

/** Columns of an object's info; see {@link infoOf}. */
export const INFO_COLUMNS =
  "bucket, key, object_version, size_bytes, etag, sha256, created_at_ms, durability, manifest_id, attributes";

/** A row with INFO_COLUMNS. */
export interface InfoRow {
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly object_version: string;
  readonly size_bytes: number;
  readonly etag: string;
  readonly sha256: string | null;
  readonly created_at_ms: number;
  readonly durability: string;
  readonly manifest_id: string | null;
  readonly attributes: string;
  /** Only if it was selected too. */
  readonly inline_data?: Uint8Array | null;
}

/** @throws {AshlarError} METADATA_CORRUPT if the row is not what was written. */
export function infoOf(row: InfoRow): ObjectInfo {
  const fields = [
    ...[row.bucket, bytesToByteText(row.key), row.object_version, row.size_bytes, row.etag, row.sha256],
    ...[row.created_at_ms, row.durability, row.manifest_id],
  ];
  return {
    bucket: row.bucket,
    key: fromByteText(bytesToByteText(row.key)),
    objectVersion: row.object_version,
    sizeBytes: row.size_bytes,
    etag: row.etag,
    ...(row.sha256 === null ? {} : { sha256: row.sha256 }),
    createdAtMs: row.created_at_ms,
    durability: row.durability as Durability,
    attributes: unsealAttributes(row.attributes, fields, row.inline_data),
  };
}

/** Key column of an object. */
export function keyBytes(key: string): Uint8Array {
  return byteTextToBytes(toByteText(key));
}

/** The latest version of an object as a writer sees it, under the lock of its key. */
export interface CurrentObject {
  readonly object_version: string;
  readonly etag: string;
  readonly created_at_ms: number;
  readonly manifest_id: string | null;
}

/** An object to write, and the condition on its latest version. */
export interface WriteTarget {
  readonly bucket: string;
  readonly key: string;
  readonly condition?: CommitCondition | undefined;
}

/** What a writer saw: no row without the bucket, nulls without the object. For {@link currentOf}. */
type Look = ReadonlyArray<{ readonly [Column in keyof CurrentObject]: CurrentObject[Column] | null }>;

/** Locks an object, holds its bucket, and looks at the latest version. */
export async function lockAndLook(session: SqlSession, { bucket, key }: WriteTarget): Promise<Look> {
  // The look comes after the locks, in a statement of its own: so it sees what the writer before us committed.
  await session.lockBucket(bucket, "shared");
  await session.lockObjects([{ bucket, key: toByteText(key) }]);
  return await session.query(
    `SELECT o.object_version, o.etag, o.created_at_ms, o.manifest_id FROM buckets b
      LEFT JOIN objects o ON o.bucket = b.bucket AND o.key = $2 AND o.is_latest
      WHERE b.bucket = $1`,
    [bucket, keyBytes(key)],
  );
}

/**
 * Checks the condition against the latest version.
 *
 * @returns the latest version, if there is one.
 * @throws {AshlarError} BUCKET_NOT_FOUND, PRECONDITION_FAILED.
 */
export function currentOf({ bucket, condition }: WriteTarget, [row]: Look): CurrentObject | undefined {
  if (row === undefined) throw bucketNotFound(bucket);
  const current = row.object_version === null ? undefined : (row as CurrentObject);
  assertWriteCondition(current && { etag: current.etag, createdAtMs: current.created_at_ms }, condition);
  return current;
}

/** Removes the latest version and releases what it names. */
export async function removeStatements(
  session: SqlSession,
  { bucket, key }: WriteTarget,
  current: CurrentObject | undefined,
): Promise<readonly SqlStatement[]> {
  if (current === undefined) return [];
  const removal = removeRowStatement({ bucket, key, objectVersion: current.object_version });
  return current.manifest_id === null ? [removal] : [removal, await releaseStatement(session, current.manifest_id)];
}

/** Removes a version that was read under the lock. The caller takes care of the manifest that the version names. */
export function removeRowStatement(version: {
  readonly bucket: string;
  readonly key: string;
  readonly objectVersion: string;
}): SqlStatement {
  return {
    sql: "DELETE FROM objects WHERE bucket = $1 AND key = $2 AND object_version = $3 RETURNING 1 AS removed",
    params: [version.bucket, keyBytes(version.key), version.objectVersion],
    // Cannot happen where the lock works. Where a database ignores the lock, this stops a manifest from being released twice.
    mustReturn: {
      rowCount: 1,
      otherwise: () => Object.assign(new Error("the object changed under the lock"), { code: "40001" }),
    },
  };
}

/** Writes an object version as the latest one; the one before must be gone. */
export function insertObjectStatement(row: {
  readonly info: ObjectInfo;
  readonly manifestId: string | null;
  readonly inline: Uint8Array | null;
}): SqlStatement {
  const { info, manifestId, inline } = row;
  const { bucket, objectVersion, sizeBytes, etag, sha256 = null, createdAtMs, durability } = info;
  const fields = [
    ...[bucket, toByteText(info.key), objectVersion, sizeBytes, etag, sha256],
    ...[createdAtMs, durability, manifestId],
  ];
  return {
    sql: `INSERT INTO objects (bucket, key, object_version, is_latest, is_delete_marker, size_bytes, etag, sha256, created_at_ms, durability,
      manifest_id, attributes, inline_data) VALUES ($1, $2, $3, TRUE, FALSE, $4, $5, $6, $7, $8, $9, $10, $11)`,
    params: [
      ...[bucket, keyBytes(info.key), objectVersion, sizeBytes, etag, sha256],
      ...[createdAtMs, durability, manifestId, sealAttributes(info.attributes, fields, inline), inline],
    ],
  };
}
