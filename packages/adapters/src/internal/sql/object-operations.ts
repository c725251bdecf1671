import { AshlarError } from "@ashlar/sdk/errors";
import {
  assertWriteCondition,
  type CommitCondition,
  type CommitObject,
  type CopyObject,
  committedInfo,
  type GetObjectQuery,
  type ManifestPage,
  type ObjectInfo,
  type StoredObject,
} from "@ashlar/sdk/ports";
import { toByteText } from "../metadata/byte-text.ts";
import { objectNotFound } from "../metadata/not-found.ts";
import { assertBucketExists } from "./bucket-operations.ts";
import { assertLayoutsKnown, selectLayouts } from "./chunk-rows.ts";
import { insertPartStatements, readManifestPage } from "./manifest-rows.ts";
import {
  type CurrentObject,
  currentOf,
  INFO_COLUMNS,
  type InfoRow,
  infoOf,
  insertObjectStatement,
  keyBytes,
  lockAndLook,
  removeRowStatement,
  removeStatements,
} from "./object-rows.ts";
import type { SqlSession } from "./sql-session.ts";

const SINGLE_PART = 1;

export async function commitObject(session: SqlSession, commit: CommitObject): Promise<ObjectInfo> {
  const { sizeBytes, etag, sha256, content } = commit;
  const chunks = "inline" in content ? [] : content.chunks;
  const [look, layouts] = await Promise.all([lockAndLook(session, commit), selectLayouts(session, chunks)]);
  const current = currentOf(commit, look);
  assertLayoutsKnown(chunks, layouts);
  const objectVersion = session.newId();
  const info = committedInfo(commit, [objectVersion, await session.nowMs()]);
  if ("inline" in content) {
    await session.finish([
      ...(await removeStatements(session, commit, current)),
      insertObjectStatement({ info, manifestId: null, inline: content.inline }),
    ]);
    return info;
  }
  const partId = session.newId();
  const part = {
    partId,
    manifestId: objectVersion,
    partNumber: SINGLE_PART,
    startOffset: 0,
    sizeBytes,
    etag,
    sha256,
    content,
  };
  await session.finish([
    // Chunk rows before manifest rows, here and everywhere: one order of locks.
    ...(await insertPartStatements(session, part)),
    {
      sql: "INSERT INTO manifests (manifest_id, state, reference_count, size_bytes, created_at_ms) VALUES ($1, 'sealed', 1, $2, $3)",
      params: [objectVersion, sizeBytes, info.createdAtMs],
    },
    ...(await removeStatements(session, commit, current)),
    insertObjectStatement({ info, manifestId: objectVersion, inline: null }),
  ]);
  return info;
}

interface StoredRow extends InfoRow {
  readonly inline_data: Uint8Array | null;
}

/** How often a read starts again when the collector drops the manifest during the read. */
const READ_ATTEMPTS = 5;

export async function getObject(session: SqlSession, query: GetObjectQuery): Promise<StoredObject | undefined> {
  const { bucket, key, objectVersion, fromOffset = 0, chunkLimit = 1024 } = query;
  const version = objectVersion === undefined ? "is_latest" : "object_version = $3";
  let gapped: string | undefined;
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
    const [row] = await session.query<StoredRow>(
      `SELECT ${INFO_COLUMNS}, inline_data FROM objects WHERE bucket = $1 AND key = $2 AND ${version}`,
      [bucket, keyBytes(key), ...(objectVersion === undefined ? [] : [objectVersion])],
    );
    if (row === undefined) {
      await assertBucketExists(session, bucket);
      return undefined;
    }
    const info = infoOf(row);
    if (row.manifest_id === null) return { info, inline: Uint8Array.from(row.inline_data ?? []) };
    const manifestId = row.manifest_id;
    if (chunkLimit === 0) return { info, manifestId };
    // Gaps mean that the collector is dropping the manifest, and it never drops one that an object still names.
    if (manifestId === gapped) throw damaged(manifestId);
    const { sizeBytes } = info;
    const page = await readManifestPage(session, { manifestId, sizeBytes, fromOffset, limit: chunkLimit });
    if (page !== undefined) return { info, manifestId, page };
    gapped = manifestId;
  }
  throw new AshlarError("METADATA_UNAVAILABLE", "the object changed too fast to be read");
}

export async function getManifestPage(
  session: SqlSession,
  query: { readonly manifestId: string; readonly fromOffset: number; readonly limit?: number | undefined },
): Promise<ManifestPage> {
  const { manifestId, fromOffset, limit = 1024 } = query;
  const [row] = await session.query<{ size_bytes: number }>(
    "SELECT size_bytes FROM manifests WHERE manifest_id = $1 AND state = 'sealed'",
    [manifestId],
  );
  const page = row && (await readManifestPage(session, { manifestId, sizeBytes: row.size_bytes, fromOffset, limit }));
  if (page !== undefined) return page;
  // Rows of a manifest that an object names must be complete, whatever state they have.
  const named = await session.query("SELECT 1 AS named FROM objects WHERE manifest_id = $1 LIMIT 1", [manifestId]);
  throw named.length > 0 ? damaged(manifestId) : objectNotFound({ manifestId });
}

function damaged(manifestId: string): AshlarError {
  return new AshlarError(
    "METADATA_CORRUPT",
    "the manifest of the object is not what was written: rows of it are missing or changed",
    { details: { manifestId } },
  );
}

export async function deleteObject(
  session: SqlSession,
  query: { readonly bucket: string; readonly key: string; readonly condition?: CommitCondition | undefined },
): Promise<boolean> {
  const current = currentOf(query, await lockAndLook(session, query));
  await session.finish(await removeStatements(session, query, current));
  return current !== undefined;
}

export async function copyObject(session: SqlSession, copy: CopyObject): Promise<ObjectInfo> {
  const { bucket, key } = copy;
  const { source, current } = await lockBoth(session, copy);
  const info: ObjectInfo = {
    ...infoOf(source),
    ...{ bucket, key, objectVersion: session.newId(), createdAtMs: await session.nowMs() },
    ...(copy.attributes === undefined ? {} : { attributes: copy.attributes }),
  };
  const raise = "UPDATE manifests SET reference_count = reference_count + 1 WHERE manifest_id = $1";
  await session.finish([
    // Raised before the target is replaced: a copy onto itself must not release its own manifest.
    ...(source.manifest_id === null ? [] : [{ sql: raise, params: [source.manifest_id] }]),
    ...(await removeStatements(session, copy, current)),
    insertObjectStatement({ info, manifestId: source.manifest_id, inline: source.inline_data }),
  ]);
  return info;
}

/** The manifest moves to the new name, so its count stays. */
export async function moveObject(session: SqlSession, move: TwoObjects): Promise<ObjectInfo> {
  const { sourceBucket, sourceKey, bucket, key } = move;
  const { source, current } = await lockBoth(session, move);
  const createdAtMs = await session.nowMs();
  const info: ObjectInfo = { ...infoOf(source), bucket, key, objectVersion: session.newId(), createdAtMs };
  await session.finish([
    removeRowStatement({ bucket: sourceBucket, key: sourceKey, objectVersion: source.object_version }),
    ...(await removeStatements(session, move, current)),
    insertObjectStatement({ info, manifestId: source.manifest_id, inline: source.inline_data }),
  ]);
  return info;
}

/** Two objects by name, and the conditions on each. */
type TwoObjects = Omit<CopyObject, "attributes">;

/** Locks source and target, and checks the conditions on each. @throws {AshlarError} BUCKET_NOT_FOUND, OBJECT_NOT_FOUND, PRECONDITION_FAILED. */
async function lockBoth(
  session: SqlSession,
  names: TwoObjects,
): Promise<{ readonly source: StoredRow; readonly current: CurrentObject | undefined }> {
  const { sourceBucket, sourceKey, bucket, key } = names;
  // Both at once, so that the session can lock them in one order: two copies in opposite directions do not deadlock.
  await session.lockObjects([
    { bucket: sourceBucket, key: toByteText(sourceKey) },
    { bucket, key: toByteText(key) },
  ]);
  const [rows, look] = await Promise.all([
    session.query<StoredRow>(
      `SELECT ${INFO_COLUMNS}, inline_data FROM objects WHERE bucket = $1 AND key = $2 AND is_latest`,
      [sourceBucket, keyBytes(sourceKey)],
    ),
    lockAndLook(session, names),
  ]);
  return { source: await sourceOf(session, names, rows), current: currentOf(names, look) };
}

async function sourceOf(session: SqlSession, copy: TwoObjects, [row]: readonly StoredRow[]): Promise<StoredRow> {
  const { sourceBucket: bucket, sourceKey: key, sourceIfMatch } = copy;
  if (row === undefined) {
    await assertBucketExists(session, bucket);
    await assertBucketExists(session, copy.bucket);
    throw objectNotFound({ bucket, key });
  }
  if (sourceIfMatch !== undefined)
    assertWriteCondition({ etag: row.etag, createdAtMs: row.created_at_ms }, { ifMatch: sourceIfMatch });
  return row;
}
