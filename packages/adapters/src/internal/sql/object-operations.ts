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
import { insertPart, readManifestPage } from "./manifest-rows.ts";
import {
  INFO_COLUMNS,
  type InfoRow,
  infoOf,
  insertObject,
  keyBytes,
  lockCurrent,
  removeCurrent,
  removeRow,
} from "./object-rows.ts";
import type { SqlSession } from "./sql-session.ts";

const SINGLE_PART = 1;

export async function commitObject(session: SqlSession, commit: CommitObject): Promise<ObjectInfo> {
  const { bucket, key, sizeBytes, etag, sha256, content } = commit;
  const current = await lockCurrent(session, commit);
  const objectVersion = session.newId();
  const info = committedInfo(commit, [objectVersion, await session.nowMs()]);
  if ("inline" in content) {
    await removeCurrent(session, { bucket, key, current });
    await insertObject(session, { info, manifestId: null, inline: content.inline });
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
  // Chunk rows before manifest rows, here and everywhere: one order of locks.
  await insertPart(session, part);
  await session.query(
    "INSERT INTO manifests (manifest_id, state, reference_count, size_bytes, created_at_ms) VALUES ($1, 'sealed', 1, $2, $3)",
    [objectVersion, sizeBytes, info.createdAtMs],
  );
  await removeCurrent(session, { bucket, key, current });
  await insertObject(session, { info, manifestId: objectVersion, inline: null });
  return info;
}

interface StoredRow extends InfoRow {
  readonly inline_data: Uint8Array | null;
}

/** How often a read starts over when the collector takes the manifest from under it. */
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
    // A manifest with gaps is one that the collector is dropping; one that an object still names is never dropped.
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
  // Rows of a manifest that objects name must be whole, whatever they say themselves.
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
  const current = await lockCurrent(session, query);
  await removeCurrent(session, { ...query, current });
  return current !== undefined;
}

export async function copyObject(session: SqlSession, copy: CopyObject): Promise<ObjectInfo> {
  const { sourceBucket, sourceKey, bucket, key } = copy;
  // Both at once, so that the session can lock them in one order: two copies in opposite directions do not deadlock.
  await session.lockObjects([
    { bucket: sourceBucket, key: toByteText(sourceKey) },
    { bucket, key: toByteText(key) },
  ]);
  const source = await getSource(session, copy);
  const current = await lockCurrent(session, copy);
  const info: ObjectInfo = {
    ...infoOf(source),
    ...{ bucket, key, objectVersion: session.newId(), createdAtMs: await session.nowMs() },
    ...(copy.attributes === undefined ? {} : { attributes: copy.attributes }),
  };
  if (source.manifest_id !== null) {
    // Raised before the target is replaced: a copy onto itself must not release its own manifest.
    await session.query("UPDATE manifests SET reference_count = reference_count + 1 WHERE manifest_id = $1", [
      source.manifest_id,
    ]);
  }
  await removeCurrent(session, { bucket, key, current });
  await insertObject(session, { info, manifestId: source.manifest_id, inline: source.inline_data });
  return info;
}

/** The manifest goes with the name: its count stays. */
export async function moveObject(session: SqlSession, move: TwoObjects): Promise<ObjectInfo> {
  const { sourceBucket, sourceKey, bucket, key } = move;
  await session.lockObjects([
    { bucket: sourceBucket, key: toByteText(sourceKey) },
    { bucket, key: toByteText(key) },
  ]);
  const source = await getSource(session, move);
  const current = await lockCurrent(session, move);
  const createdAtMs = await session.nowMs();
  const info: ObjectInfo = { ...infoOf(source), bucket, key, objectVersion: session.newId(), createdAtMs };
  await removeRow(session, { bucket: sourceBucket, key: sourceKey, objectVersion: source.object_version });
  await removeCurrent(session, { bucket, key, current });
  await insertObject(session, { info, manifestId: source.manifest_id, inline: source.inline_data });
  return info;
}

/** Two names of objects, and what is said of each. */
type TwoObjects = Omit<CopyObject, "attributes">;

async function getSource(session: SqlSession, copy: TwoObjects): Promise<StoredRow> {
  const { sourceBucket: bucket, sourceKey: key, sourceIfMatch } = copy;
  const [row] = await session.query<StoredRow>(
    `SELECT ${INFO_COLUMNS}, inline_data FROM objects WHERE bucket = $1 AND key = $2 AND is_latest`,
    [bucket, keyBytes(key)],
  );
  if (row === undefined) {
    await assertBucketExists(session, bucket);
    await assertBucketExists(session, copy.bucket);
    throw objectNotFound({ bucket, key });
  }
  if (sourceIfMatch !== undefined)
    assertWriteCondition({ etag: row.etag, createdAtMs: row.created_at_ms }, { ifMatch: sourceIfMatch });
  return row;
}
