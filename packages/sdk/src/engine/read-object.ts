import { AshlarError } from "../errors/index.ts";
import { encodeHex } from "../hash/digest.ts";
import { linkCall } from "../internal/failure-notes.ts";
import type {
  GetObjectRequest,
  ObjectInfo,
  OpenedObject,
  ReadTransferOptions,
  StoredObject,
  TransferOptions,
  WriteCondition,
} from "../ports/index.ts";
import { resolveByteRange } from "./byte-range.ts";
import type { EngineContext } from "./engine-context.ts";
import { createProgressTracker } from "./progress-tracker.ts";
import { type ReadOptions, readChunks } from "./read-chunks.ts";

/** Finds an object and makes it ready to read; no chunk is asked for yet. */
export async function openObject(
  context: EngineContext,
  request: GetObjectRequest,
  options: ReadTransferOptions,
): Promise<OpenedObject> {
  if (request.verify !== undefined && request.verify !== "blocks" && request.verify !== "chunks") {
    throw new AshlarError("INVALID_ARGUMENT", "verify is blocks or chunks");
  }
  const wanted = request.range?.offset ?? 0;
  const fromOffset = Number.isSafeInteger(wanted) && wanted > 0 ? wanted : 0;
  const stored = await findObject(context, request, fromOffset, options);
  const { info } = stored;
  const { offset, length } = resolveByteRange(request.range, info.sizeBytes);
  return {
    info,
    offset,
    length,
    read: once(() => readStored(context, stored, offset, length, { ...options, verify: request.verify })),
  };
}

/** The info of an object under a read condition. */
export async function headObject(
  context: EngineContext,
  request: Omit<GetObjectRequest, "range">,
  options: TransferOptions,
): Promise<ObjectInfo> {
  return (await findObject(context, request, 0, options, 0)).info;
}

async function findObject(
  context: EngineContext,
  request: Omit<GetObjectRequest, "range">,
  fromOffset: number,
  options: TransferOptions,
  chunkLimit?: number,
): Promise<StoredObject> {
  const { bucket, key, objectVersion } = request;
  const query = { bucket, key, objectVersion, fromOffset, chunkLimit };
  const stored = await context.catalog.getObject(query, { signal: options.signal });
  if (stored === undefined)
    throw new AshlarError("OBJECT_NOT_FOUND", `no object ${bucket}/${key}`, { details: { bucket, key } });
  assertReadCondition(request.condition, stored.info.etag);
  await verifyInline(context, stored);
  return stored;
}

/** Inline bytes are checked against the digest beside them, end to end, whatever they came through. @throws {AshlarError} METADATA_CORRUPT. */
async function verifyInline({ hasher }: EngineContext, { info, inline }: StoredObject): Promise<void> {
  if (inline === undefined) return;
  const { bucket, key, sizeBytes, sha256 } = info;
  const isWhole = inline.byteLength === sizeBytes;
  if (isWhole && (sha256 === undefined || encodeHex(await hasher.digest(inline)) === sha256)) return;
  throw new AshlarError("METADATA_CORRUPT", `the bytes of ${bucket}/${key} are not those that were written`, {
    details: { bucket, key },
  });
}

function assertReadCondition(condition: WriteCondition | undefined, etag: string): void {
  const { ifMatch, ifNoneMatch } = condition ?? {};
  if (ifMatch !== undefined && ifMatch !== "*" && ifMatch !== etag) {
    throw new AshlarError("PRECONDITION_FAILED", "the object has another etag", { details: { etag } });
  }
  if (ifNoneMatch !== undefined && (ifNoneMatch === "*" || ifNoneMatch === etag)) {
    throw new AshlarError("NOT_MODIFIED", "the object has this etag", { details: { etag } });
  }
}

async function* readStored(
  context: EngineContext,
  stored: StoredObject,
  offset: number,
  length: number,
  options: ReadOptions,
): AsyncGenerator<Uint8Array> {
  const { onProgress } = options;
  const tracked = { onProgress, totalBytes: length, clock: context.clock };
  if (stored.inline !== undefined || length === 0) {
    if (stored.inline !== undefined && length > 0) yield stored.inline.slice(offset, offset + length);
    const progress = createProgressTracker({ ...tracked, fail: () => {} });
    progress.meter()(length);
    await progress.finish();
    return;
  }
  const link = linkCall(options.signal, context.closing);
  const progress = createProgressTracker({ ...tracked, fail: (error) => link.abort(error) });
  try {
    yield* readChunks(context, stored, { offset, length }, { ...options, signal: link.signal, progress });
    await progress.finish();
  } finally {
    link.abort(new AshlarError("CANCELED", "the reader stopped"));
    link.unlink();
  }
}

function once<T>(make: () => T): () => T {
  let made = false;
  return () => {
    if (made)
      throw new AshlarError("INVALID_ARGUMENT", "the bytes of an opened object can be read once; open it again");
    made = true;
    return make();
  };
}
