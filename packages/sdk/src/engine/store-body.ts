import { chunkBody } from "../chunking/chunk-body.ts";
import type { Chunker } from "../chunking/chunker.ts";
import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import type { IncrementalHash } from "../hash/hasher.ts";
import { linkCall } from "../internal/failure-notes.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { createSemaphore, type Release } from "../internal/semaphore.ts";
import { LIMITS } from "../limits.ts";
import type { CallOptions, Clock, CommittedChunk, Durability, TransferOptions } from "../ports/index.ts";
import { startElapsed } from "./elapsed.ts";
import type { EngineContext } from "./engine-context.ts";
import { createIdleBuffers, type IdleBuffers } from "./idle-buffers.ts";
import { createProgressTracker, type ProgressTracker } from "./progress-tracker.ts";
import { stoppableBody } from "./stoppable-body.ts";
import type { ReplicatedPut } from "./topology.ts";

/** The part of a claim's life in which a commit may rest on it: the rest is for the commit's own way. Receipts end in the same proportion. */
const USABLE_SHARE = 23 / 24;

/** How to store one body. */
export interface StoreBodyRequest {
  readonly bucket: string;
  readonly sizeBytes: number | undefined;
  readonly chunker: Chunker;
  readonly durability: Durability;
  /** A body of at most this many bytes is returned instead of stored; 0: never. */
  readonly inlineMaxBytes: number;
  /** Asked while the first chunks move; the upload ends with what it throws. Not asked for a body that goes inline. */
  readonly check?: ((call: CallOptions) => Promise<void>) | undefined;
}

/** A body whose chunks are stored and claimed, but not committed. */
export interface StoredBody {
  readonly sizeBytes: number;
  readonly sha256: Digest;
  readonly chunks: readonly CommittedChunk[];
  readonly replicas: number;
  readonly deduplicatedBytes: number;
  /** Throws CLAIM_EXPIRED once no commit may rest on the claims of the chunks any more; for before each try of one. */
  readonly assertClaimed?: (() => void) | undefined;
  /** The bytes, if they go inline; then there are no chunks. */
  readonly inline?: Uint8Array | undefined;
}

/**
 * Cuts a body into chunks and stores them side by side.
 *
 * Memory: at most (concurrency + 2) chunks: those in flight, the one being filled, and the first one until a second shows that the body's digest
 * is not its own; buffers go round. On any failure every transfer is aborted, the body is told to stop, and the chunks stored so far are left to the collector:
 * another process may have claimed them since, and no store can tell its claim from ours.
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
  let stored: StoredBody | undefined;
  try {
    stored = await new BodyWriter(context, request, options, link.signal, (error) => link.abort(error)).run(
      stoppableBody(body, link.signal),
    );
    return stored;
  } finally {
    // An inline body moved nothing that could still run, and small objects are many.
    if (stored?.inline === undefined) link.abort(new AshlarError("CANCELED", "the write is over"));
    link.unlink();
  }
}

/** @throws {AshlarError} INVALID_ARGUMENT, OBJECT_TOO_LARGE: before the body is touched. */
function assertDeclaredSize(sizeBytes: number | undefined): void {
  if (sizeBytes === undefined) return;
  if (!(Number.isInteger(sizeBytes) && sizeBytes >= 0)) {
    throw new AshlarError("INVALID_ARGUMENT", "the size of a body is a whole number of bytes");
  }
  if (sizeBytes > LIMITS.OBJECT_MAX_BYTES.value) throw tooLarge();
}

function tooLarge(): AshlarError {
  return new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES.value} bytes`);
}

function tooManyChunks(): AshlarError {
  const max = LIMITS.COMMIT_CHUNKS_MAX.value;
  return new AshlarError(
    "OBJECT_TOO_LARGE",
    `one write has at most ${max} chunks; use larger chunks or a multipart upload`,
    { details: { chunksMax: String(max) } },
  );
}

class BodyWriter {
  readonly #context: EngineContext;
  readonly #request: StoreBodyRequest;
  readonly #signal: AbortSignal;
  readonly #fail: (error: unknown) => void;
  readonly #concurrency: number;
  readonly #progress: ProgressTracker;
  readonly #wantsProgress: boolean;
  readonly #assertClaimed: () => void;
  readonly #chunks: CommittedChunk[] = [];
  /** Puts by chunk id in hex: a chunk that occurs twice in a body (a file of zeros) moves once. */
  readonly #puts = new Map<string, Promise<ReplicatedPut>>();
  readonly #idleBuffers: IdleBuffers = createIdleBuffers();
  #wholeHash: IncrementalHash | undefined;
  #sizeBytes = 0;
  #replicas = Number.POSITIVE_INFINITY;
  #deduplicatedBytes = 0;

  constructor(
    context: EngineContext,
    request: StoreBodyRequest,
    options: TransferOptions,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#context = context;
    this.#request = request;
    this.#signal = signal;
    this.#fail = fail;
    this.#concurrency = options.concurrency ?? LIMITS.CONCURRENCY_DEFAULT.value;
    const { clock } = context;
    this.#progress = createProgressTracker({
      onProgress: options.onProgress,
      totalBytes: request.sizeBytes,
      clock,
      fail,
    });
    this.#wantsProgress = options.onProgress !== undefined;
    this.#assertClaimed = startClaims(clock, context.claimTtlMs);
  }

  async run(body: AsyncIterable<Uint8Array>): Promise<StoredBody> {
    const cutter = this.#request.chunker.start(this.#request.sizeBytes);
    const committedMaxBytes = LIMITS.COMMIT_CHUNKS_MAX.value * cutter.maxBytes;
    if (this.#context.tickets !== undefined && (this.#request.sizeBytes ?? 0) > committedMaxBytes)
      throw tooManyChunks();
    const iterator = chunkBody(body, cutter, this.#idleBuffers);
    try {
      const first = await this.#pull(iterator);
      if (first === undefined) return this.#finishInline(new Uint8Array(0));
      let second: Uint8Array<ArrayBuffer> | undefined;
      if (first.byteLength <= this.#request.inlineMaxBytes) {
        second = await this.#pull(iterator);
        if (second === undefined) return await this.#finishInline(first);
      }
      await this.#storeAll(first, second, iterator);
      return await this.#finishChunked();
    } catch (error) {
      // The body may be stuck in next(): it is told to stop, and not waited for.
      iterator.return().catch(() => {});
      throw AshlarError.from(error);
    }
  }

  async #storeAll(
    first: Uint8Array<ArrayBuffer>,
    second: Uint8Array<ArrayBuffer> | undefined,
    iterator: AsyncIterator<Uint8Array<ArrayBuffer>>,
  ): Promise<void> {
    const lanes = createSemaphore(this.#concurrency);
    const check = this.#request.check?.({ signal: this.#signal });
    check?.catch(this.#fail);
    const writes: Promise<void>[] = [];
    let retained: Uint8Array | undefined = first;
    let lookahead = second;
    let next: Uint8Array<ArrayBuffer> | undefined = first;
    for (let index = 0; next !== undefined; index++) {
      // Another decodes the commit: better told now than after the upload.
      if (this.#context.tickets !== undefined && index >= LIMITS.COMMIT_CHUNKS_MAX.value) throw tooManyChunks();
      if (index === 1) {
        this.#wholeHash = await this.#context.hasher.incremental();
        this.#wholeHash.update(retained as Uint8Array);
        retained = undefined;
      }
      this.#wholeHash?.update(next);
      const release = await lanes.acquire(this.#signal);
      const giveBack = await this.#context.chunkWrites?.acquire(this.#signal);
      const write = this.#storeOne(index, next, release).finally(giveBack);
      write.catch(this.#fail);
      writes.push(write);
      next = lookahead ?? (await this.#pull(iterator));
      lookahead = undefined;
    }
    await raceAbort(Promise.all([check, ...writes]), this.#signal);
  }

  async #pull(iterator: AsyncIterator<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const next = await raceAbort(iterator.next(), this.#signal);
    if (next.done === true) {
      this.#checkSize(this.#sizeBytes, true);
      return undefined;
    }
    this.#sizeBytes += next.value.byteLength;
    this.#checkSize(this.#sizeBytes, false);
    return next.value;
  }

  #checkSize(sizeBytes: number, ended: boolean): void {
    const expected = this.#request.sizeBytes;
    if (sizeBytes > LIMITS.OBJECT_MAX_BYTES.value) throw tooLarge();
    if (expected !== undefined && (sizeBytes > expected || (ended && sizeBytes < expected))) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        `the body has ${ended ? sizeBytes : "more than the declared"} bytes, not ${expected}`,
        {
          details: { declaredBytes: String(expected), receivedBytes: String(sizeBytes) },
        },
      );
    }
  }

  async #storeOne(index: number, bytes: Uint8Array<ArrayBuffer>, release: Release): Promise<void> {
    try {
      const chunkId = await this.#context.hasher.digest(bytes);
      const name = encodeHex(chunkId);
      const known = this.#puts.get(name);
      const meter = this.#progress.meter();
      const putting = known ?? this.#put(chunkId, bytes, meter);
      if (known === undefined) this.#puts.set(name, putting);
      const put = await putting;
      meter(bytes.byteLength);
      this.#chunks[index] = {
        chunkId,
        sizeBytes: bytes.byteLength,
        // A commit takes each receipt once.
        receipts: known === undefined ? put.receipts : undefined,
        layoutVersion: put.layoutVersion,
        missedServerIds: put.missedServerIds,
      };
      this.#replicas = Math.min(this.#replicas, put.replicas);
      if (known !== undefined || put.alreadyPresent) this.#deduplicatedBytes += bytes.byteLength;
      // The first chunk is kept for the digest of the body; one that a server missed may still be on its way there.
      if (index > 0 && put.missedServerIds.length === 0) this.#idleBuffers.give(bytes);
    } finally {
      release();
    }
  }

  async #put(chunkId: Digest, bytes: Uint8Array, meter: (transferredBytes: number) => void): Promise<ReplicatedPut> {
    this.#assertClaimed();
    const ticket = await this.#context.tickets?.get(this.#request.bucket, { signal: this.#signal });
    return await this.#context.chunks.put(chunkId, bytes, {
      signal: this.#signal,
      durability: this.#request.durability,
      grant: ticket?.grant,
      onProgress: this.#wantsProgress ? meter : undefined,
      digestVerified: true,
    });
  }

  async #finishInline(bytes: Uint8Array): Promise<StoredBody> {
    this.#progress.setTotal(bytes.byteLength);
    this.#progress.meter()(bytes.byteLength);
    await this.#progress.finish();
    const sha256 = await this.#context.hasher.digest(bytes);
    return {
      sizeBytes: bytes.byteLength,
      sha256,
      chunks: [],
      replicas: 1,
      deduplicatedBytes: 0,
      inline: bytes,
    };
  }

  async #finishChunked(): Promise<StoredBody> {
    this.#progress.setTotal(this.#sizeBytes);
    await this.#progress.finish();
    const [first] = this.#chunks as [CommittedChunk];
    return {
      sizeBytes: this.#sizeBytes,
      sha256: this.#wholeHash?.digest() ?? first.chunkId,
      chunks: this.#chunks,
      replicas: this.#replicas,
      deduplicatedBytes: this.#deduplicatedBytes,
      assertClaimed: this.#assertClaimed,
    };
  }
}

/** Throws CHECKSUM_MISMATCH if the caller declared another digest than the body has. @param declaredHex in lower case. */
export function assertDeclaredDigest(declaredHex: string | undefined, sha256: Digest): void {
  if (declaredHex === undefined) return;
  const actual = encodeHex(sha256);
  if (declaredHex !== actual) {
    throw new AshlarError("CHECKSUM_MISMATCH", "the body does not have the declared SHA-256; nothing was written", {
      details: { declared: declaredHex, actual },
    });
  }
}

/**
 * Starts the clock of an upload, before it claims its first chunk. A process that opens the store after the wall clock moved on knows the claims by
 * wall time alone, and deletes by it.
 *
 * @returns to be called before each chunk and before each try of the commit. @throws {AshlarError} CLAIM_EXPIRED
 */
function startClaims(clock: Clock, claimTtlMs: number): () => void {
  const elapsedMs = startElapsed(clock);
  return () => {
    if (elapsedMs() <= claimTtlMs * USABLE_SHARE) return;
    throw new AshlarError(
      "CLAIM_EXPIRED",
      "the upload took longer than its chunks are kept, or the clock moved on that far (sleep, or it was set): upload it again, or in parts",
    );
  };
}
