import {
  assertWriteCondition,
  type CommitObject,
  type CopyObject,
  type ObjectCatalog,
  type ObjectInfo,
  type StoredObject,
} from "@ashlar/sdk/ports";
import { toByteText } from "../../internal/metadata/byte-text.ts";
import { type ListStep, nextLower, pageOf, resolveListRange } from "../../internal/metadata/list-range.ts";
import { objectNotFound } from "../../internal/metadata/not-found.ts";
import { assertRaisable, raiseChunks } from "./chunk-rows.ts";
import { locateChunks, manifestPage, releaseManifest } from "./manifests.ts";
import { type BucketRow, type MemoryState, nextId, type ObjectRow, requireBucket } from "./state.ts";

export function memoryObjects(state: MemoryState): ObjectCatalog {
  return {
    commitObject: async (commit) => commitObject(state, commit),
    copyObject: async (copy) => copyObject(state, copy),
    moveObject: async (move) => moveObject(state, move),
    async getObject(query) {
      const row = requireBucket(state, query.bucket).objects.get(toByteText(query.key));
      if (row === undefined || (query.objectVersion ?? row.info.objectVersion) !== row.info.objectVersion)
        return undefined;
      return storedObject(state, row, query);
    },
    async getManifestPage({ manifestId, fromOffset, limit = 1024 }) {
      const row = state.manifests.get(manifestId);
      if (row === undefined) throw objectNotFound({ manifestId });
      return manifestPage(row, fromOffset, limit);
    },
    deleteObject: async (query) => deleteObject(state, query),
    async listObjects(query) {
      const bucketRow = requireBucket(state, query.bucket);
      const range = resolveListRange(query);
      const steps: ListStep[] = [];
      let lower = range.lower;
      while (steps.length <= range.limit) {
        const key = bucketRow.keys.at(bucketRow.keys.seek(lower));
        if (key === undefined || key >= range.upper) break;
        const { objectVersion, sizeBytes, etag, sha256, createdAtMs } = (bucketRow.objects.get(key) as ObjectRow).info;
        const digest = sha256 === undefined ? {} : { sha256 };
        steps.push({ key, entry: { objectVersion, sizeBytes, etag, ...digest, createdAtMs } });
        lower = nextLower(range, key);
      }
      return pageOf(range, steps);
    },
  };
}

function deleteObject(state: MemoryState, query: Parameters<ObjectCatalog["deleteObject"]>[0]): boolean {
  const bucketRow = requireBucket(state, query.bucket);
  const byteKey = toByteText(query.key);
  const current = bucketRow.objects.get(byteKey);
  assertWriteCondition(current?.info, query.condition);
  if (current === undefined) return false;
  removeObject(bucketRow, query.key);
  releaseManifest(state, current.manifestId);
  return true;
}

function storedObject(
  state: MemoryState,
  row: ObjectRow,
  query: { readonly fromOffset?: number | undefined; readonly chunkLimit?: number | undefined },
): StoredObject {
  const { info, inline, manifestId } = row;
  const { fromOffset = 0, chunkLimit = 1024 } = query;
  if (inline !== undefined) return { info, inline: inline.slice() };
  const manifest = manifestId === undefined ? undefined : state.manifests.get(manifestId);
  if (manifest === undefined) return { info };
  if (chunkLimit === 0) return { info, manifestId };
  return { info, manifestId, page: manifestPage(manifest, fromOffset, chunkLimit) };
}

function commitObject(state: MemoryState, commit: CommitObject): ObjectInfo {
  const { bucket, key, sizeBytes, etag, sha256, durability, attributes, content } = commit;
  const bucketRow = requireBucket(state, bucket);
  const current = bucketRow.objects.get(toByteText(key));
  assertWriteCondition(current?.info, commit.condition);
  if ("chunks" in content) assertRaisable(state, content);
  const info: ObjectInfo = Object.freeze({
    ...{ bucket, key, objectVersion: nextId(state), sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...{ createdAtMs: state.clock.nowMs(), durability, attributes },
  });
  if ("inline" in content) {
    placeObject(state, bucketRow, { info, inline: Uint8Array.from(content.inline) });
    return info;
  }
  raiseChunks(state, content);
  state.manifests.set(info.objectVersion, { chunks: locateChunks(content.chunks), referenceCount: 1 });
  placeObject(state, bucketRow, { info, manifestId: info.objectVersion });
  return info;
}

/** Makes `row` the latest version and releases the one that it replaces. */
export function placeObject(state: MemoryState, bucketRow: BucketRow, row: ObjectRow): void {
  const byteKey = toByteText(row.info.key);
  const current = bucketRow.objects.get(byteKey);
  bucketRow.objects.set(byteKey, row);
  bucketRow.keys.add(byteKey);
  releaseManifest(state, current?.manifestId);
}

type TwoObjects = Omit<CopyObject, "attributes">;

/** The source, and the bucket of the target; their conditions hold. */
function sourceAndTarget(state: MemoryState, copy: TwoObjects): { source: ObjectRow; bucketRow: BucketRow } {
  const source = requireBucket(state, copy.sourceBucket).objects.get(toByteText(copy.sourceKey));
  const bucketRow = requireBucket(state, copy.bucket);
  if (source === undefined) throw objectNotFound({ bucket: copy.sourceBucket, key: copy.sourceKey });
  if (copy.sourceIfMatch !== undefined) assertWriteCondition(source.info, { ifMatch: copy.sourceIfMatch });
  assertWriteCondition(bucketRow.objects.get(toByteText(copy.key))?.info, copy.condition);
  return { source, bucketRow };
}

function moveObject(state: MemoryState, move: TwoObjects): ObjectInfo {
  const { source, bucketRow } = sourceAndTarget(state, move);
  const { bucket, key } = move;
  const info = Object.freeze({
    ...source.info,
    ...{ bucket, key, objectVersion: nextId(state), createdAtMs: state.clock.nowMs() },
  });
  removeObject(requireBucket(state, move.sourceBucket), move.sourceKey);
  placeObject(state, bucketRow, { ...source, info });
  return info;
}

function removeObject(bucketRow: BucketRow, key: string): void {
  const byteKey = toByteText(key);
  bucketRow.objects.delete(byteKey);
  bucketRow.keys.remove(byteKey);
}

function copyObject(state: MemoryState, copy: CopyObject): ObjectInfo {
  const { source, bucketRow } = sourceAndTarget(state, copy);
  const info: ObjectInfo = Object.freeze({
    ...source.info,
    ...{ bucket: copy.bucket, key: copy.key, objectVersion: nextId(state), createdAtMs: state.clock.nowMs() },
    attributes: copy.attributes ?? source.info.attributes,
  });
  const manifest = source.manifestId === undefined ? undefined : state.manifests.get(source.manifestId);
  // Raised before the target is replaced: a copy onto itself must not release its own manifest.
  if (manifest !== undefined) manifest.referenceCount++;
  placeObject(state, bucketRow, { ...source, info });
  return info;
}
