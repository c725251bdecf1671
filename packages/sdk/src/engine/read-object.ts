import { AshlarError } from "../errors/index.ts";
import { encodeHex } from "../hash/digest.ts";
import { assert } from "../internal/assert.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import * as LIMITS from "../limit-values.ts";
import type {
  ByteRange,
  CallOptions,
  GetObjectQuery,
  GetObjectRequest,
  GiveBack,
  LocatedChunk,
  ManifestPage,
  ObjectInfo,
  OpenedObject,
  ReadTransferOptions,
  StoredObject,
  TransferOptions,
  WriteCondition,
} from "../ports/index.ts";
import type { EngineContext } from "./engine-context.ts";
import { createProgressTracker, type ProgressTracker } from "./progress-tracker.ts";
import type { ReadFor } from "./replicated-store.ts";

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
  const stored = await findObject(context, request, { ...options, fromOffset });
  const { info } = stored;
  const range = resolveByteRange(request.range, info.sizeBytes);
  const pages = createPages(context, stored);
  const reading = { context, stored, range, options: { ...options, verify: request.verify }, pages };
  const isChunked = stored.inline === undefined && range.length > 0;
  return {
    ...{ info, ...range, read: once(() => readStored(reading)) },
    ...(isChunked && { chunks: () => locate(reading) }),
  };
}

/** The info of an object under a read condition. */
export async function headObject(
  context: EngineContext,
  request: Omit<GetObjectRequest, "range">,
  options: TransferOptions,
): Promise<ObjectInfo> {
  return (await findObject(context, request, { ...options, fromOffset: 0, chunkLimit: 0 })).info;
}

async function findObject(
  context: EngineContext,
  request: Omit<GetObjectRequest, "range">,
  { fromOffset, chunkLimit, signal }: CallOptions & Pick<GetObjectQuery, "fromOffset" | "chunkLimit">,
): Promise<StoredObject> {
  const { bucket, key, objectVersion } = request;
  const query = { bucket, key, objectVersion, fromOffset, chunkLimit };
  const stored = await context.catalog.getObject(query, { signal });
  if (stored === undefined)
    throw new AshlarError("OBJECT_NOT_FOUND", `no object ${bucket}/${key}`, { details: { bucket, key } });
  assertReadCondition(request.condition, stored.info.etag);
  await verifyInline(context, stored);
  return stored;
}

/** Checks inline bytes end to end against the digest in the object's info. @throws {AshlarError} METADATA_CORRUPT. */
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

/** A range within known bounds. */
export interface ResolvedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Fits a range into an object.
 *
 * @param range absent: all bytes. A negative offset counts from the end and is cut at the start. An end past the object is cut.
 * @throws {AshlarError} INVALID_RANGE if it starts at or past the end of a non-empty object; INVALID_ARGUMENT for values that are no byte counts.
 */
export function resolveByteRange(range: ByteRange | undefined, sizeBytes: number): ResolvedRange {
  if (range === undefined) return { offset: 0, length: sizeBytes };
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || (length !== undefined && (!Number.isSafeInteger(length) || length < 0))) {
    throw new AshlarError("INVALID_ARGUMENT", "a range has a whole offset and a length of 0 or more, in bytes");
  }
  const start = offset < 0 ? Math.max(0, sizeBytes + offset) : offset;
  if (start > sizeBytes || (start === sizeBytes && sizeBytes > 0 && length !== 0)) {
    throw new AshlarError("INVALID_RANGE", `the range starts at ${start}, the object has ${sizeBytes} bytes`, {
      details: { sizeBytes: String(sizeBytes) },
    });
  }
  return { offset: start, length: Math.min(length ?? Number.POSITIVE_INFINITY, sizeBytes - start) };
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

/** One read, and what all its steps need. */
interface Reading {
  readonly context: EngineContext;
  readonly stored: StoredObject;
  readonly range: ResolvedRange;
  readonly options: ReadTransferOptions & Pick<GetObjectRequest, "verify">;
  readonly pages: Pages;
}

async function* readStored(reading: Reading): AsyncGenerator<Uint8Array> {
  const { context, stored, range, options } = reading;
  const { offset, length } = range;
  const tracked = { onProgress: options.onProgress, totalBytes: length, clock: context.clock };
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
    yield* readChunks({ ...reading, options: { ...options, signal: link.signal } }, progress);
    await progress.finish();
  } finally {
    link.abort(new AshlarError("CANCELED", "the reader stopped"));
    link.unlink();
  }
}

/**
 * Yields the bytes of a range in order while the next chunks are under way.
 *
 * Memory: at most `concurrency` chunks in flight or waiting, and the one that was yielded last. With a budget, only as many of them as the budget has
 * room for, and only one until the reader asks for the second. The owner of the signal aborts it when the consumer stops; transfers in flight then
 * end.
 *
 * @param progress the caller that made it finishes it.
 */
async function* readChunks(reading: Reading, progress: ProgressTracker): AsyncGenerator<Uint8Array> {
  const { concurrency = LIMITS.CONCURRENCY_DEFAULT, budget, signal } = reading.options;
  const located = locate(reading);
  /** Under way or waiting; the first one stays until its reader has taken it. */
  const queue: FetchedChunk[] = [];
  const fetch = (chunk: LocatedChunk, giveBack: GiveBack | undefined): void => {
    const meter = progress.meter();
    const bytes = fetchChunk(reading, chunk, meter).then((fetched) => {
      meter(fetched.byteLength);
      return fetched;
    });
    bytes.catch(() => {}); // reported when its turn comes
    queue.push({ bytes, giveBack });
  };
  let next = await raceAbort(located.next(), signal);
  let ahead = budget === undefined ? concurrency : 1;
  try {
    for (;;) {
      while (next.done !== true && queue.length < ahead) {
        const { sizeBytes } = next.value;
        const giveBack = queue.length === 0 ? await budget?.take(sizeBytes, { signal }) : budget?.tryTake(sizeBytes);
        if (budget !== undefined && giveBack === undefined) break;
        fetch(next.value, giveBack);
        next = await raceAbort(located.next(), signal);
      }
      const [head] = queue;
      if (head === undefined) return;
      yield await raceAbort(head.bytes, signal);
      queue.shift();
      head.giveBack?.();
      ahead = Math.min(ahead + 1, concurrency);
    }
  } finally {
    for (const { giveBack } of queue) giveBack?.();
  }
}

/** A chunk on its way to its reader, and what gives its bytes back to the budget. */
interface FetchedChunk {
  readonly bytes: Promise<Uint8Array>;
  readonly giveBack: GiveBack | undefined;
}

/** The bytes of a chunk that are in the range. @param meter called with how many of them have arrived. */
async function fetchChunk(
  reading: Reading,
  chunk: LocatedChunk,
  meter: (transferredBytes: number) => void,
): Promise<Uint8Array> {
  const { context, stored, range, options, pages } = reading;
  const readFor = { bucket: stored.info.bucket, key: stored.info.key };
  const from = Math.max(0, range.offset - chunk.offset);
  const to = Math.min(chunk.sizeBytes, range.offset + range.length - chunk.offset);
  const { verify = "blocks", signal, onProgress } = options;
  // Only a whole chunk has a digest to be checked against.
  const whole = verify === "chunks" || (from === 0 && to === chunk.sizeBytes);
  try {
    const bytes = await context.chunks.get(chunk.chunkId, {
      sizeBytes: chunk.sizeBytes,
      readFor,
      ...(whole ? {} : { offset: from, length: to - from }),
      grant: pages.grantOf(chunk),
      // A read grant lives for an hour, a paused download may last for days.
      renewGrant: (refused) => pages.renewGrant(chunk, refused, { signal }),
      signal,
      retry: context.chunkRetry,
      // If a chunk is fetched whole for a part of it, only the part counts.
      onProgress: onProgress && ((transferredBytes) => meter(Math.min(transferredBytes, to - from))),
    });
    return bytes.byteLength > to - from ? bytes.slice(from, to) : bytes;
  } catch (thrown) {
    const error = namingObject(thrown, readFor);
    if (error !== thrown) context.logger.error({ err: thrown, ...readFor }, "an object cannot be read");
    throw error;
  }
}

/**
 * Says which object cannot be read, if a chunk is damaged or missing everywhere: its digest alone tells a user nothing.
 *
 * @returns other errors as they are.
 */
export function namingObject(error: unknown, { bucket, key }: ReadFor): unknown {
  if (!AshlarError.is(error, "CHUNK_MISSING") && !AshlarError.is(error, "CHUNK_CORRUPT")) return error;
  return new AshlarError(error.code, `${bucket}/${key} cannot be read: ${error.message}`, {
    cause: error,
    details: { ...error.details, bucket, key },
  });
}

/**
 * The chunks that overlap the range, page by page. They must follow each other from its first byte to its last one, wherever the pages come from.
 *
 * @throws {AshlarError} METADATA_CORRUPT if they do not.
 */
async function* locate(reading: Reading): AsyncGenerator<LocatedChunk> {
  const { stored, range } = reading;
  const end = range.offset + range.length;
  const given = stored.page;
  let page = given && covers(given, range.offset) ? given : await pageAt(reading, range.offset);
  let position: number | undefined;
  for (;;) {
    for (const chunk of page.chunks) {
      const isNext = position === undefined ? chunk.offset <= range.offset : chunk.offset === position;
      position = chunk.offset + chunk.sizeBytes;
      if (!isNext || chunk.sizeBytes < 1 || position > stored.info.sizeBytes) throw gapAt(stored, chunk.offset);
      if (position > range.offset) yield chunk;
      if (position >= end) return;
    }
    // An empty page would be asked for again and again.
    if (position === undefined || page.chunks.length === 0 || page.nextOffset !== position) {
      throw gapAt(stored, position ?? range.offset);
    }
    page = await pageAt(reading, position);
  }
}

/** Whether the chunk at this offset is in the page. */
function covers({ chunks: [first], nextOffset }: ManifestPage, offset: number): boolean {
  return first !== undefined && first.offset <= offset && (nextOffset === undefined || offset < nextOffset);
}

function gapAt({ info: { bucket, key } }: StoredObject, offset: number): AshlarError {
  return new AshlarError("METADATA_CORRUPT", `the manifest of ${bucket}/${key} has a gap at byte ${offset}`, {
    details: { bucket, key, offset: String(offset) },
  });
}

function pageAt({ pages, options }: Reading, fromOffset: number): Promise<ManifestPage> {
  return pages.at(fromOffset, { signal: options.signal });
}

/** The chunk list of one object version. Its handle and its grants last for a time, and are renewed when they are refused. */
interface Pages {
  at(fromOffset: number, call: CallOptions): Promise<ManifestPage>;
  /** The newest grant for a chunk. */
  grantOf(chunk: LocatedChunk): string | undefined;
  /** Another grant for a chunk. Asks for a page, unless one that was asked for another chunk has it. */
  renewGrant(chunk: LocatedChunk, refused: string, call: CallOptions): Promise<string | undefined>;
}

/** Memory: the grants of one page. */
function createPages({ catalog }: EngineContext, { info, manifestId: firstHandle }: StoredObject): Pages {
  const { bucket, key, objectVersion } = info;
  let manifestId = firstHandle;
  /** By the offset of the chunk. */
  let renewed: ReadonlyMap<number, string | undefined> = new Map();
  let asking: Promise<unknown> | undefined;

  const at: Pages["at"] = async (fromOffset, call) => {
    assert(manifestId !== undefined, "a chunked object has a manifest");
    try {
      return await catalog.getManifestPage({ manifestId, fromOffset }, call);
    } catch (error) {
      if (!AshlarError.is(error, "UNAUTHENTICATED")) throw error;
      // The handle has ended: find the same version again. If it was the caller who was refused, this is refused too.
      const found = await catalog.getObject({ bucket, key, objectVersion, fromOffset }, call);
      if (found?.page === undefined) {
        const message = `${bucket}/${key} was replaced while it was read`;
        throw new AshlarError("OBJECT_NOT_FOUND", message, { cause: error, details: { bucket, key } });
      }
      ({ manifestId } = found);
      return found.page;
    }
  };
  const known = (chunk: LocatedChunk): string | undefined => renewed.get(chunk.offset) ?? chunk.grant;
  return {
    at,
    grantOf: known,
    async renewGrant(chunk, refused, call) {
      await asking?.catch(() => {}); // reported to the call that asked
      if (known(chunk) !== refused) return known(chunk);
      const page = at(chunk.offset, call);
      asking = page;
      renewed = new Map((await page).chunks.map(({ offset, grant }) => [offset, grant]));
      return known(chunk);
    },
  };
}
