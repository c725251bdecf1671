import { AshlarError } from "@ashlar/sdk/errors";
import type {
  CompleteUpload,
  CreateUpload,
  Durability,
  ListPartsQuery,
  ListUploadsQuery,
  ObjectInfo,
  PartInfo,
  PartPage,
  PutPart,
  UploadInfo,
  UploadPage,
} from "@ashlar/sdk/ports";
import { bytesToByteText, byteTextToBytes, fromByteText, toByteText } from "../metadata/byte-text.ts";
import { chooseParts } from "../metadata/completed-parts.ts";
import { resolveListRange } from "../metadata/list-range.ts";
import { uploadNotFound } from "../metadata/not-found.ts";
import { decodeUploadCursor, encodeUploadCursor } from "../metadata/upload-cursor.ts";
import { assertBucketExists, holdBucket } from "./bucket-operations.ts";
import { assertLayoutsKnown, selectLayouts } from "./chunk-rows.ts";
import { insertPartStatements } from "./manifest-rows.ts";
import { currentOf, insertObjectStatement, keyBytes, lockAndLook, removeStatements } from "./object-rows.ts";
import { PART_COLUMNS, type PartRow, partOf, placeStatements } from "./part-rows.ts";
import { inStatements } from "./row-batches.ts";
import { sealAttributes, unsealAttributes } from "./sealed-row.ts";
import type { SqlSession } from "./sql-session.ts";

interface UploadRow {
  readonly upload_id: string;
  readonly bucket: string;
  readonly key: Uint8Array;
  readonly attributes: string;
  readonly durability: string;
  readonly created_at_ms: number;
}

const UPLOAD_COLUMNS = "upload_id, bucket, key, attributes, durability, created_at_ms";

function uploadOf(row: UploadRow): UploadInfo {
  return {
    bucket: row.bucket,
    key: fromByteText(bytesToByteText(row.key)),
    uploadId: row.upload_id,
    createdAtMs: row.created_at_ms,
    attributes: unsealAttributes(row.attributes, [
      ...[row.upload_id, row.bucket, bytesToByteText(row.key), row.durability, row.created_at_ms],
    ]),
    durability: row.durability as Durability,
  };
}

/** @param lock row lock of a writer; empty for readers. @throws {AshlarError} UPLOAD_NOT_FOUND. */
async function requireUpload(session: SqlSession, uploadId: string, lock = ""): Promise<UploadInfo> {
  return foundUpload(uploadId, await selectUpload(session, uploadId, lock));
}

/** For {@link foundUpload}. */
function selectUpload(session: SqlSession, uploadId: string, lock: string): Promise<readonly UploadRow[]> {
  return session.query<UploadRow>(`SELECT ${UPLOAD_COLUMNS} FROM uploads WHERE upload_id = $1 ${lock}`, [uploadId]);
}

/** @throws {AshlarError} UPLOAD_NOT_FOUND. */
function foundUpload(uploadId: string, [row]: readonly UploadRow[]): UploadInfo {
  if (row === undefined) throw uploadNotFound(uploadId);
  return uploadOf(row);
}

export async function createUpload(session: SqlSession, create: CreateUpload): Promise<UploadInfo> {
  const { bucket, key, attributes, durability } = create;
  await holdBucket(session, bucket);
  const uploadId = session.newId();
  const createdAtMs = await session.nowMs();
  const sealed = sealAttributes(attributes, [uploadId, bucket, toByteText(key), durability, createdAtMs]);
  await session.finish([
    {
      sql: `INSERT INTO uploads (${UPLOAD_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)`,
      params: [uploadId, bucket, keyBytes(key), sealed, durability, createdAtMs],
    },
    {
      // The manifest of the upload has its id; nobody can read it before it is sealed.
      sql: "INSERT INTO manifests (manifest_id, state, reference_count, size_bytes, created_at_ms) VALUES ($1, 'open', 0, 0, $2)",
      params: [uploadId, createdAtMs],
    },
  ]);
  return { bucket, key, uploadId, createdAtMs, attributes, durability };
}

export function getUpload(session: SqlSession, uploadId: string): Promise<UploadInfo> {
  return requireUpload(session, uploadId);
}

export async function putPart(session: SqlSession, part: PutPart): Promise<PartInfo> {
  const { uploadId, partNumber, sizeBytes, etag, sha256, content } = part;
  const [rows, layouts] = await Promise.all([
    // Several parts may arrive at once; complete and abort lock the row exclusively.
    selectUpload(session, uploadId, session.dialect.forKeyShare),
    selectLayouts(session, content.chunks),
  ]);
  foundUpload(uploadId, rows);
  assertLayoutsKnown(content.chunks, layouts);
  const createdAtMs = await session.nowMs();
  const place = { partId: session.newId(), manifestId: uploadId, partNumber, startOffset: null };
  await session.finish([
    {
      sql: "UPDATE manifest_parts SET released_at_ms = $3 WHERE manifest_id = $1 AND part_number = $2 AND released_at_ms IS NULL",
      params: [uploadId, partNumber, createdAtMs],
    },
    ...(await insertPartStatements(session, { ...place, sizeBytes, etag, sha256, content })),
  ]);
  return { partNumber, sizeBytes, etag, ...(sha256 === undefined ? {} : { sha256 }), createdAtMs };
}

function selectParts(
  session: SqlSession,
  query: { readonly uploadId: string; readonly after: number; readonly limit: number },
): Promise<readonly PartRow[]> {
  return session.query<PartRow>(
    `SELECT ${PART_COLUMNS.join(", ")} FROM manifest_parts
      WHERE manifest_id = $1 AND released_at_ms IS NULL AND part_number > $2 ORDER BY part_number LIMIT $3`,
    [query.uploadId, query.after, query.limit],
  );
}

export async function listParts(session: SqlSession, query: ListPartsQuery): Promise<PartPage> {
  const { uploadId, afterPartNumber = 0, limit = 1000 } = query;
  await requireUpload(session, uploadId);
  const rows = await selectParts(session, { uploadId, after: afterPartNumber, limit: limit + 1 });
  const parts = rows.slice(0, limit).map(partOf);
  const last = parts.at(-1);
  return { parts, ...(rows.length > limit && last !== undefined ? { nextPartNumber: last.partNumber } : {}) };
}

export async function listUploads(session: SqlSession, query: ListUploadsQuery): Promise<UploadPage> {
  const { bucket, prefix, limit = 1000, cursor } = query;
  const range = resolveListRange({ bucket, prefix });
  const after = cursor === undefined ? { key: "", uploadId: "" } : decodeUploadCursor(cursor);
  const rows = await session.query<UploadRow>(
    `SELECT ${UPLOAD_COLUMNS} FROM uploads WHERE bucket = $1 AND key >= $2 AND key < $3
      AND key >= $4 AND (key > $4 OR upload_id > $5) ORDER BY key, upload_id LIMIT $6`,
    [
      ...[bucket, byteTextToBytes(range.lower), byteTextToBytes(range.upper)],
      ...[byteTextToBytes(after.key), after.uploadId, limit + 1],
    ],
  );
  if (rows.length === 0) await assertBucketExists(session, bucket);
  const last = rows[limit - 1];
  const more = rows.length > limit && last !== undefined;
  return {
    uploads: rows.slice(0, limit).map(uploadOf),
    ...(more ? { nextCursor: encodeUploadCursor({ key: bytesToByteText(last.key), uploadId: last.upload_id }) } : {}),
  };
}

const ALL_PARTS = 1_000_000;

export async function completeUpload(session: SqlSession, complete: CompleteUpload): Promise<ObjectInfo> {
  const { uploadId, condition } = complete;
  const [uploads, rows] = await Promise.all([
    selectUpload(session, uploadId, session.dialect.forUpdate),
    selectParts(session, { uploadId, after: 0, limit: ALL_PARTS }),
  ]);
  const { bucket, key, attributes, durability } = foundUpload(uploadId, uploads);
  const stored = new Map(rows.map((row) => [row.part_number, { ...partOf(row), partId: row.part_id }]));
  const { parts, sizeBytes, etag, sha256 } = chooseParts(stored, complete);
  const target = { bucket, key, condition };
  const current = currentOf(target, await lockAndLook(session, target));
  const nowMs = await session.nowMs();
  const chosen = new Set(parts.map((part) => part.partId));
  const info: ObjectInfo = {
    ...{ bucket, key, objectVersion: session.newId(), sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...{ createdAtMs: nowMs, durability, attributes },
  };
  await session.finish([
    ...inStatements(
      session.dialect,
      rows.filter((row) => !chosen.has(row.part_id)).map((row) => row.part_id),
      { params: [nowMs], sql: (list) => `UPDATE manifest_parts SET released_at_ms = $1 WHERE part_id IN (${list})` },
    ),
    ...placeStatements(
      session.dialect,
      rows.filter((row) => chosen.has(row.part_id)),
    ),
    {
      sql: "UPDATE manifests SET state = 'sealed', reference_count = 1, size_bytes = $2 WHERE manifest_id = $1",
      params: [uploadId, sizeBytes],
    },
    { sql: "DELETE FROM uploads WHERE upload_id = $1", params: [uploadId] },
    ...(await removeStatements(session, target, current)),
    insertObjectStatement({ info, manifestId: uploadId, inline: null }),
  ]);
  return info;
}

export async function abortUpload(session: SqlSession, uploadId: string): Promise<void> {
  await requireUpload(session, uploadId, session.dialect.forUpdate);
  await forgetUpload(session, uploadId);
}

/** Forgets an upload whose row is locked; its parts are dropped with its manifest. */
async function forgetUpload(session: SqlSession, uploadId: string): Promise<void> {
  await session.query("DELETE FROM uploads WHERE upload_id = $1", [uploadId]);
  await session.query("UPDATE manifests SET released_at_ms = $2 WHERE manifest_id = $1", [
    uploadId,
    await session.nowMs(),
  ]);
}

export async function abortStaleUploads(
  session: SqlSession,
  query: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  const border = (await session.nowMs()) - query.olderThanMs;
  const rows = await session.query<UploadRow>(
    `SELECT ${UPLOAD_COLUMNS} FROM uploads WHERE created_at_ms <= $1 ORDER BY created_at_ms LIMIT $2 ${session.dialect.forUpdateSkipLocked}`,
    [border, query.limit],
  );
  const stale = rows.filter(isAsWritten);
  for (const row of stale) await forgetUpload(session, row.upload_id);
  return stale.length;
}

/** A damaged time must not abort an upload. */
function isAsWritten(row: UploadRow): boolean {
  try {
    uploadOf(row);
    return true;
  } catch (error) {
    if (AshlarError.is(error, "METADATA_CORRUPT")) return false;
    throw error;
  }
}
