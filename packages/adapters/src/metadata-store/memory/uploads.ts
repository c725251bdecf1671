import {
  assertWriteCondition,
  type CompleteUpload,
  type CreateUpload,
  type ListUploadsQuery,
  type ObjectInfo,
  type PartInfo,
  type PutPart,
  type UploadCatalog,
  type UploadInfo,
  type UploadPage,
} from "@ashlar/sdk/ports";
import { toByteText } from "../../internal/metadata/byte-text.ts";
import { chooseParts } from "../../internal/metadata/completed-parts.ts";
import { uploadNotFound } from "../../internal/metadata/not-found.ts";
import { decodeUploadCursor, encodeUploadCursor } from "../../internal/metadata/upload-cursor.ts";
import { assertRaisable, raiseChunks } from "./chunk-rows.ts";
import { locateChunks } from "./manifests.ts";
import { placeObject } from "./objects.ts";
import { type MemoryState, nextId, type PartRow, requireBucket, type UploadRow } from "./state.ts";

export function memoryUploads(state: MemoryState): UploadCatalog {
  return {
    createUpload: async (create) => createUpload(state, create),
    getUpload: async (uploadId) => requireUpload(state, uploadId).info,
    putPart: async (part) => putPart(state, part),
    async listParts({ uploadId, afterPartNumber = 0, limit = 1000 }) {
      const all = [...requireUpload(state, uploadId).parts.values()].map((part) => part.info);
      const behind = all
        .filter((part) => part.partNumber > afterPartNumber)
        .sort((a, b) => a.partNumber - b.partNumber);
      const parts = behind.slice(0, limit);
      const last = parts.at(-1);
      return { parts, ...(behind.length > limit && last !== undefined ? { nextPartNumber: last.partNumber } : {}) };
    },
    listUploads: async (query) => listUploads(state, query),
    completeUpload: async (complete) => completeUpload(state, complete),
    abortUpload: async (uploadId) => abortUpload(state, requireUpload(state, uploadId)),
  };
}

function createUpload(state: MemoryState, create: CreateUpload): UploadInfo {
  const { bucket, key, attributes, durability } = create;
  requireBucket(state, bucket);
  const uploadId = nextId(state);
  const info = Object.freeze({ bucket, key, uploadId, createdAtMs: state.clock.nowMs(), attributes, durability });
  state.uploads.set(uploadId, { info, parts: new Map() });
  return info;
}

function requireUpload(state: MemoryState, uploadId: string): UploadRow {
  const row = state.uploads.get(uploadId);
  if (row === undefined) throw uploadNotFound(uploadId);
  return row;
}

function putPart(state: MemoryState, part: PutPart): PartInfo {
  const upload = requireUpload(state, part.uploadId);
  assertRaisable(state, part.content);
  raiseChunks(state, part.content);
  const replaced = upload.parts.get(part.partNumber);
  if (replaced !== undefined) releaseParts(state, [replaced]);
  const { partNumber, sizeBytes, etag, sha256 } = part;
  const info = Object.freeze({
    ...{ partNumber, sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    createdAtMs: state.clock.nowMs(),
  });
  upload.parts.set(partNumber, {
    info,
    chunks: part.content.chunks.map(({ chunkId, sizeBytes: size }) => ({ chunkId, sizeBytes: size })),
  });
  return info;
}

function releaseParts(state: MemoryState, parts: readonly PartRow[]): void {
  const chunks = parts.flatMap((part) => part.chunks);
  if (chunks.length > 0) state.released.add({ chunks, releasedAtMs: state.clock.nowMs() });
}

/** Forgets an upload; its parts are released. */
export function abortUpload(state: MemoryState, upload: UploadRow): void {
  state.uploads.delete(upload.info.uploadId);
  releaseParts(state, [...upload.parts.values()]);
}

function listUploads(state: MemoryState, query: ListUploadsQuery): UploadPage {
  requireBucket(state, query.bucket);
  const { prefix = "", limit = 1000 } = query;
  const after = query.cursor === undefined ? undefined : decodeUploadCursor(query.cursor);
  const all = [...state.uploads.values()]
    .map(({ info }) => ({ info, key: toByteText(info.key), uploadId: info.uploadId }))
    .filter(({ info }) => info.bucket === query.bucket && info.key.startsWith(prefix))
    .filter(
      (row) => after === undefined || row.key > after.key || (row.key === after.key && row.uploadId > after.uploadId),
    )
    .sort((a, b) => (a.key < b.key || (a.key === b.key && a.uploadId < b.uploadId) ? -1 : 1));
  const shown = all.slice(0, limit);
  const last = shown.at(-1);
  const more = all.length > limit && last !== undefined;
  return { uploads: shown.map((row) => row.info), ...(more ? { nextCursor: encodeUploadCursor(last) } : {}) };
}

function completeUpload(state: MemoryState, complete: CompleteUpload): ObjectInfo {
  const upload = requireUpload(state, complete.uploadId);
  const { bucket, key, uploadId, attributes, durability } = upload.info;
  const bucketRow = requireBucket(state, bucket);
  const stored = new Map([...upload.parts].map(([number, part]) => [number, { ...part.info, chunks: part.chunks }]));
  const { parts, sizeBytes, etag, sha256 } = chooseParts(stored, complete);
  assertWriteCondition(bucketRow.objects.get(toByteText(key))?.info, complete.condition);
  const info: ObjectInfo = Object.freeze({
    ...{ bucket, key, objectVersion: nextId(state), sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...{ createdAtMs: state.clock.nowMs(), durability, attributes },
  });
  const chosen = new Set(parts.map((part) => part.partNumber));
  releaseParts(
    state,
    [...upload.parts.values()].filter((part) => !chosen.has(part.info.partNumber)),
  );
  state.uploads.delete(uploadId);
  state.manifests.set(uploadId, { chunks: locateChunks(parts.flatMap((part) => part.chunks)), referenceCount: 1 });
  placeObject(state, bucketRow, { info, manifestId: uploadId });
  return info;
}
