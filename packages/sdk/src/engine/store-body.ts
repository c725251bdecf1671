import { type ChunkBuffers, chunkBody } from "../chunking/chunk-body.ts";
import type { Chunker } from "../chunking/chunker.ts";
import { AshlarError, abortError, callerError, throwIfAborted } from "../errors/ashlar-error.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import type { IncrementalHash } from "../hash/hasher.ts";
import { assert } from "../internal/assert.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { createSemaphore } from "../internal/semaphore.ts";
import * as LIMITS from "../limit-values.ts";
import type { CallOptions, CommittedChunk, Durability, TransferOptions } from "../ports/index.ts";
import { startClaims, startTickets, type UploadTickets } from "./claims-and-tickets.ts";
import type { EngineContext } from "./engine-context.ts";
import { createProgressTracker, type ProgressTracker } from "./progress-tracker.ts";
import type { ReplicatedPut } from "./replicated-store.ts";

/** How to store one body. */
export interface StoreBodyRequest {
  readonly bucket: string;
  readonly sizeBytes: number | undefined;
  readonly chunker: Chunker;
  readonly durability: Durability;
  /** A body of at most this many bytes is returned instead of stored; 0: never. */
  readonly inlineMaxBytes: number;
  /** Called while the first chunks move; the upload ends with what it throws. Not called for a body that goes inline. */
  readonly check?: ((call: CallOptions) => Promise<void>) | undefined;
}

/** A body whose chunks are stored and claimed, but not committed. */
export interface StoredBody {
  readonly sizeBytes: number;
  readonly sha256: Digest;
  readonly chunks: readonly CommittedChunk[];
  readonly replicas: number;
  readonly deduplicatedBytes: number;
  /** Throws CLAIM_EXPIRED once a commit may no longer rely on the claims of the chunks; to be called before each try of the commit. */
  readonly assertClaimed?: (() => void) | undefined;
  /** The tickets that the chunks were stored under, in seats that need some. */
  readonly tickets?: UploadTickets | undefined;
  /** The bytes, if they go inline; then there are no chunks. */
  readonly inline?: Uint8Array | undefined;
}

/**
 * Cuts a body into chunks and stores them side by side.
 *
 * Memory: at most (concurrency + 2) chunks: those in flight, the one being filled, and the first one, which is kept until a second one comes (a body
 * of one chunk has the digest of that chunk). Buffers are used again.
 *
 * On any failure every transfer is aborted, the body is told to stop, and the chunks stored so far are left to the collector: another process may
 * have claimed them since, and no store can tell its claim from ours.
 */
export async function storeBody(
  context: EngineContext,
  request: StoreBodyRequest,
  body: AsyncIterable<Uint8Array>,
  options: TransferOptions,
): Promise<StoredBody> {
  throwIfAborted(options.signal);
  assertDeclaredSize(request.sizeBytes);
  const link = linkCall(options.signal, context.closing);
  const fail = (error: unknown): void => link.abort(error);
  const { onProgress, concurrency = LIMITS.CONCURRENCY_DEFAULT } = options;
  const upload: Upload = {
    ...{ context, request, signal: link.signal, fail, concurrency },
    progress: createProgressTracker({ onProgress, totalBytes: request.sizeBytes, clock: context.clock, fail }),
    wantsProgress: onProgress !== undefined,
    assertClaimed: startClaims(context.clock, context.claimTtlMs),
    tickets: context.tickets && startTickets(context.tickets, request.bucket),
  };
  let stored: StoredBody | undefined;
  try {
    stored = await cutAndStore(upload, stoppableBody(body, link.signal));
    return stored;
  } finally {
    // An inline body leaves no transfer that could still run. Small objects are frequent, so the abort is saved.
    if (stored?.inline === undefined) link.abort(new AshlarError("CANCELED", "the write is over"));
    link.unlink();
  }
}

/** One body on its way, and what all its steps need. */
interface Upload {
  readonly context: EngineContext;
  readonly request: StoreBodyRequest;
  /** Aborted by the caller, by the close of the engine, and by the first step that fails. */
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
  readonly concurrency: number;
  readonly progress: ProgressTracker;
  readonly wantsProgress: boolean;
  readonly assertClaimed: () => void;
  readonly tickets: UploadTickets | undefined;
}

/** Alone in its ArrayBuffer. */
type Chunk = Uint8Array<ArrayBuffer>;

async function cutAndStore(upload: Upload, body: AsyncIterable<Uint8Array>): Promise<StoredBody> {
  const { context, request } = upload;
  const cutter = request.chunker.start(request.sizeBytes);
  const committedMaxBytes = LIMITS.COMMIT_CHUNKS_MAX * cutter.maxBytes;
  if (context.tickets !== undefined && (request.sizeBytes ?? 0) > committedMaxBytes) throw tooManyChunks();
  const buffers = createIdleBuffers();
  const iterator = chunkBody(body, cutter, buffers);
  const pull = sizeChecked(upload, iterator);
  try {
    const ahead = await pullFirst(pull, request.inlineMaxBytes);
    const isInline = ahead.length < 2 && (ahead[0]?.byteLength ?? 0) <= request.inlineMaxBytes;
    if (isInline) return await finishInline(upload, ahead[0] ?? new Uint8Array(0));
    return await storeChunks(upload, async () => ahead.shift() ?? (await pull()), buffers);
  } catch (error) {
    // The body may be stuck in next(): this tells it to stop, and does not wait for it.
    iterator.return().catch(() => {});
    throw AshlarError.from(error);
  }
}

/** Pulls chunks; throws once there are more bytes than declared or allowed, and at the end if there are fewer than declared. */
function sizeChecked(
  { request, signal }: Upload,
  iterator: AsyncGenerator<Chunk, void, undefined>,
): () => Promise<Chunk | undefined> {
  const { sizeBytes: expected } = request;
  let sizeBytes = 0;
  return async () => {
    const next = await raceAbort(iterator.next(), signal);
    const chunk = next.done === true ? undefined : next.value;
    sizeBytes += chunk?.byteLength ?? 0;
    if (sizeBytes > LIMITS.OBJECT_MAX_BYTES) throw tooLarge();
    if (expected === undefined || (chunk === undefined ? sizeBytes === expected : sizeBytes <= expected)) return chunk;
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `the body has ${chunk === undefined ? sizeBytes : "more than the declared"} bytes, not ${expected}`,
      { details: { declaredBytes: String(expected), receivedBytes: String(sizeBytes) } },
    );
  };
}

/** One chunk, or two if the first is small enough to go inline and might be the only one; none of an empty body. */
async function pullFirst(pull: () => Promise<Chunk | undefined>, inlineMaxBytes: number): Promise<Chunk[]> {
  const first = await pull();
  if (first === undefined) return [];
  const second = first.byteLength <= inlineMaxBytes ? await pull() : undefined;
  return second === undefined ? [first] : [first, second];
}

async function finishInline({ context, progress, tickets }: Upload, inline: Uint8Array): Promise<StoredBody> {
  const sizeBytes = inline.byteLength;
  progress.setTotal(sizeBytes);
  progress.meter()(sizeBytes);
  await progress.finish();
  const sha256 = await context.hasher.digest(inline);
  return { sizeBytes, sha256, chunks: [], replicas: 1, deduplicatedBytes: 0, inline, tickets };
}

async function storeChunks(
  upload: Upload,
  next: () => Promise<Chunk | undefined>,
  buffers: IdleBuffers,
): Promise<StoredBody> {
  const { context, request, signal, fail, progress, assertClaimed } = upload;
  const lanes = createSemaphore(upload.concurrency);
  const puts = createChunkPuts(upload, buffers);
  const check = request.check?.({ signal });
  check?.catch(fail);
  const writes: Promise<void>[] = [];
  let sizeBytes = 0;
  /** Kept until a second one comes: a body of one chunk has the digest of that chunk. */
  let first: Chunk | undefined;
  let wholeHash: IncrementalHash | undefined;
  let chunk = await next();
  for (let index = 0; chunk !== undefined; index++) {
    // A gateway has to decode the commit: better to refuse now than after the upload.
    if (context.tickets !== undefined && index >= LIMITS.COMMIT_CHUNKS_MAX) throw tooManyChunks();
    if (index === 0) first = chunk;
    else if (first !== undefined) {
      wholeHash = await context.hasher.incremental();
      wholeHash.update(first);
      first = undefined;
    }
    wholeHash?.update(chunk);
    sizeBytes += chunk.byteLength;
    const release = await lanes.acquire(signal);
    const giveBack = await context.chunkWrites?.acquire(signal);
    const write = puts.store(index, chunk).finally(() => {
      release();
      giveBack?.();
    });
    write.catch(fail);
    writes.push(write);
    chunk = await next();
  }
  await raceAbort(Promise.all([check, ...writes]), signal);
  progress.setTotal(sizeBytes);
  await progress.finish();
  const { chunks, ...outcome } = puts.outcome();
  const sha256 = wholeHash?.digest() ?? chunks[0]?.chunkId;
  assert(sha256 !== undefined, "a body without chunks goes inline");
  return { sizeBytes, sha256, chunks, ...outcome, assertClaimed, tickets: upload.tickets };
}

interface ChunkPuts {
  /** Puts a chunk, and takes over its buffer. */
  store(index: number, bytes: Chunk): Promise<void>;
  /** What all puts together did. */
  outcome(): Pick<StoredBody, "chunks" | "replicas" | "deduplicatedBytes">;
}

function createChunkPuts(
  { context, request, signal, progress, wantsProgress, assertClaimed, tickets }: Upload,
  buffers: IdleBuffers,
): ChunkPuts {
  /** By chunk id in hex: a chunk that occurs twice in a body (a file of zeros) moves once. */
  const puts = new Map<string, Promise<ReplicatedPut>>();
  const chunks: CommittedChunk[] = [];
  let replicas = Number.POSITIVE_INFINITY;
  let deduplicatedBytes = 0;
  const put = async (
    chunkId: Digest,
    bytes: Chunk,
    meter: (transferredBytes: number) => void,
  ): Promise<ReplicatedPut> => {
    assertClaimed();
    const write = (grant?: string): Promise<ReplicatedPut> =>
      context.chunks.put(chunkId, bytes, {
        signal,
        durability: request.durability,
        grant,
        renewGrant: tickets?.renewGrant,
        onProgress: wantsProgress ? meter : undefined,
        digestVerified: true,
        retry: context.chunkRetry,
      });
    return tickets === undefined ? await write() : await tickets.forChunk(write);
  };
  return {
    async store(index, bytes) {
      const chunkId = await context.hasher.digest(bytes);
      const name = encodeHex(chunkId);
      const known = puts.get(name);
      const meter = progress.meter();
      const putting = known ?? put(chunkId, bytes, meter);
      if (known === undefined) puts.set(name, putting);
      const { receipts, layoutVersion, missedNodeIds, standInNodeIds, ...did } = await putting;
      meter(bytes.byteLength);
      chunks[index] = {
        chunkId,
        sizeBytes: bytes.byteLength,
        // A commit takes each receipt once.
        receipts: known === undefined ? receipts : undefined,
        layoutVersion,
        missedNodeIds,
        standInNodeIds,
      };
      replicas = Math.min(replicas, did.replicas);
      if (known !== undefined || did.alreadyPresent) deduplicatedBytes += bytes.byteLength;
      // The first chunk is kept for the digest of the body; one that a node missed may still be on its way there.
      if (index > 0 && missedNodeIds.length === 0) buffers.give(bytes);
    },
    outcome: () => ({ chunks, replicas, deduplicatedBytes }),
  };
}

/** @throws {AshlarError} INVALID_ARGUMENT, OBJECT_TOO_LARGE: before the body is touched. */
function assertDeclaredSize(sizeBytes: number | undefined): void {
  if (sizeBytes === undefined) return;
  if (!(Number.isInteger(sizeBytes) && sizeBytes >= 0)) {
    throw new AshlarError("INVALID_ARGUMENT", "the size of a body is a whole number of bytes");
  }
  if (sizeBytes > LIMITS.OBJECT_MAX_BYTES) throw tooLarge();
}

function tooLarge(): AshlarError {
  return new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES} bytes`);
}

function tooManyChunks(): AshlarError {
  const max = LIMITS.COMMIT_CHUNKS_MAX;
  return new AshlarError(
    "OBJECT_TOO_LARGE",
    `one write has at most ${max} chunks; use larger chunks or a multipart upload`,
    { details: { chunksMax: String(max) } },
  );
}

/** Chunk buffers of one body between two uses. */
interface IdleBuffers extends ChunkBuffers {
  /** Takes back a buffer that nobody reads any more, whole and alone in its ArrayBuffer. */
  give(buffer: Uint8Array<ArrayBuffer>): void;
}

/**
 * Keeps the buffers of one body for its next chunks. Keeps one size only, which nearly all chunks have, and drops the others.
 *
 * Memory: none beyond the buffers that were in use at once, because idle ones are taken before new ones are made.
 */
function createIdleBuffers(): IdleBuffers {
  const idle: Uint8Array<ArrayBuffer>[] = [];
  let sizeBytes = 0;
  return {
    take(wantedBytes) {
      // The full size is asked for again and again. Content-defined chunks are cut from such buffers and come back in other sizes.
      if (wantedBytes > sizeBytes) {
        idle.length = 0;
        sizeBytes = wantedBytes;
      }
      return wantedBytes === sizeBytes ? idle.pop() : undefined;
    },
    give(buffer) {
      if (buffer.byteLength === sizeBytes) idle.push(buffer);
    },
  };
}

/**
 * A body that stops with a signal, also while it hangs.
 *
 * An async generator in between would queue `return()` behind the `next()` that hangs, so a stalled source (a socket, a file) would never be told
 * to stop. Here an abort rejects the pull and tells the source to stop at once, without waiting for its answer.
 *
 * One listener serves the whole body and is removed at its end: bodies may come in slices of 100 bytes, and a listener for each slice cost more than
 * everything else.
 */
function stoppableBody(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]();
      let ended = false;
      /** Rejects the running pull. */
      let giveUp: ((error: unknown) => void) | undefined;
      const end = (): void => {
        ended = true;
        giveUp = undefined;
        signal.removeEventListener("abort", onAbort);
      };
      const stop = (): void => {
        if (ended) return;
        end();
        iterator.return?.()?.then(undefined, () => {}); // the caller gets the error that stopped the reader
      };
      const onAbort = (): void => {
        const reject = giveUp;
        if (reject === undefined) return; // between two pulls: the next one sees the signal
        stop();
        reject(abortError(signal));
      };
      signal.addEventListener("abort", onAbort);
      const pull = (resolve: (slice: IteratorResult<Uint8Array>) => void, reject: (error: unknown) => void): void => {
        const fail = (error: unknown): void => {
          end();
          reject(callerError("the body", error));
        };
        const settle = (slice: IteratorResult<Uint8Array>): void => {
          giveUp = undefined;
          if (slice.done === true) end();
          resolve(slice);
        };
        giveUp = reject;
        try {
          iterator.next().then(settle, fail);
        } catch (error) {
          fail(error);
        }
      };
      return {
        next() {
          if (!signal.aborted) return new Promise(pull);
          stop();
          return Promise.reject(abortError(signal));
        },
        async return() {
          stop();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
