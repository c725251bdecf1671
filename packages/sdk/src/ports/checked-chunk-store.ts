import { AshlarError, abortError, throwIfAborted } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest } from "../hash/digest.ts";
import { LIMITS } from "../limits.ts";
import {
  type CallOptions,
  type ChunkStore,
  type DeleteChunksOptions,
  type GetChunkOptions,
  type HasChunksOptions,
  isStreamingChunkStore,
  type ListChunksOptions,
  type PutChunkOptions,
  type PutChunkResult,
  type StreamingChunkStore,
} from "./chunk-store.ts";
import { DURABILITIES } from "./durability.ts";
import { GuardedSource } from "./guarded-source.ts";

const IDS_MAX = LIMITS.LIST_LIMIT_MAX.value;

function reject(message: string): never {
  throw new AshlarError("INVALID_ARGUMENT", message);
}

function checkChunkId(chunkId: Digest): void {
  if (!(chunkId instanceof Uint8Array) || chunkId.byteLength !== DIGEST_BYTES) {
    reject("a chunk id is a Uint8Array of 32 bytes");
  }
}

function checkChunkIds(chunkIds: readonly Digest[]): void {
  if (!Array.isArray(chunkIds)) reject("chunk ids come as an array");
  if (chunkIds.length > IDS_MAX) reject(`one call takes up to ${IDS_MAX} chunk ids, not ${chunkIds.length}`);
  for (const chunkId of chunkIds) checkChunkId(chunkId);
}

function checkSize(sizeBytes: number, chunkMaxBytes: number): void {
  if (sizeBytes <= chunkMaxBytes) return;
  throw new AshlarError("OBJECT_TOO_LARGE", `a chunk has at most ${chunkMaxBytes} bytes here`, {
    details: { sizeBytes: String(sizeBytes), chunkMaxBytes: String(chunkMaxBytes) },
  });
}

function checkPutOptions(options: PutChunkOptions | undefined): void {
  const durability = options?.durability;
  if (durability !== undefined && !DURABILITIES.includes(durability)) reject("durability is strict, batched or os");
}

function checkGetOptions(options: GetChunkOptions | undefined): void {
  const { offset, length } = options ?? {};
  if (offset !== undefined && !(Number.isSafeInteger(offset) && offset >= 0)) {
    reject("offset is an integer of at least 0");
  }
  if (length !== undefined && !(Number.isSafeInteger(length) && length >= 1)) {
    reject("length is an integer of at least 1");
  }
}

function checkListOptions(options: ListChunksOptions | undefined): void {
  const { limit, cursor } = options ?? {};
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1 && limit <= LIMITS.LIST_LIMIT_MAX.value)) {
    reject(`limit is an integer from 1 to ${LIMITS.LIST_LIMIT_MAX.value}`);
  }
  if (cursor !== undefined && typeof cursor !== "string") reject("a cursor is a string from the page before");
}

/** Settles like `work`, or rejects with the signal's error as soon as it aborts; the listener goes with the promise. */
function settleOrAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, rejectCall) => {
    const onAbort = (): void => rejectCall(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    const release = (): void => signal.removeEventListener("abort", onAbort);
    work.then(resolve, rejectCall).then(release, release);
  });
}

/** State of one checked store: whether it is closed, and what still runs below, aborted calls included. */
class CheckedChunkStore implements ChunkStore {
  readonly capabilities: ChunkStore["capabilities"];
  readonly #inner: ChunkStore;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(inner: ChunkStore) {
    this.#inner = inner;
    this.capabilities = inner.capabilities;
  }

  /** Runs `work` unless closed or aborted, and keeps sight of it past an abort so that `close()` can wait for its clean-up. */
  protected async run<T>(signal: AbortSignal | undefined, check: () => void, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new AshlarError("STORE_CLOSED", "the chunk store is closed");
    check();
    throwIfAborted(signal);
    const running = work();
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    running.then(forget, forget);
    return await settleOrAbort(running, signal);
  }

  putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult> {
    const check = (): void => {
      checkChunkId(chunkId);
      if (!(bytes instanceof Uint8Array)) reject("the bytes of a chunk come as a Uint8Array");
      if (bytes.byteLength === 0) reject("a chunk has at least one byte");
      checkSize(bytes.byteLength, this.capabilities.chunkMaxBytes);
      checkPutOptions(options);
    };
    return this.run(options?.signal, check, () => this.#inner.putChunk(chunkId, bytes, options));
  }

  getChunk(chunkId: Digest, options?: GetChunkOptions): ReturnType<ChunkStore["getChunk"]> {
    const check = (): void => {
      checkChunkId(chunkId);
      checkGetOptions(options);
    };
    return this.run(options?.signal, check, () => this.#inner.getChunk(chunkId, options));
  }

  hasChunks(chunkIds: readonly Digest[], options: HasChunksOptions): ReturnType<ChunkStore["hasChunks"]> {
    const check = (): void => {
      checkChunkIds(chunkIds);
      if (typeof options?.claim !== "boolean") reject("claim is true or false");
    };
    return this.run(options?.signal, check, () => this.#inner.hasChunks(chunkIds, options));
  }

  deleteChunks(chunkIds: readonly Digest[], options: DeleteChunksOptions): ReturnType<ChunkStore["deleteChunks"]> {
    const check = (): void => {
      checkChunkIds(chunkIds);
      const ageMs = options?.unclaimedForMs;
      if (!(typeof ageMs === "number" && Number.isFinite(ageMs) && ageMs >= 0)) {
        reject("unclaimedForMs is a number of milliseconds, at least 0");
      }
    };
    return this.run(options?.signal, check, () => this.#inner.deleteChunks(chunkIds, options));
  }

  listChunks(options?: ListChunksOptions): ReturnType<ChunkStore["listChunks"]> {
    return this.run(
      options?.signal,
      () => checkListOptions(options),
      () => this.#inner.listChunks(options),
    );
  }

  stats(options?: CallOptions): ReturnType<ChunkStore["stats"]> {
    return this.run(
      options?.signal,
      () => {},
      () => this.#inner.stats(options),
    );
  }

  close(): Promise<void> {
    this.#closing ??= (async (): Promise<void> => {
      await Promise.allSettled(this.#running);
      await this.#inner.close();
    })();
    return this.#closing;
  }
}

class CheckedStreamingChunkStore extends CheckedChunkStore implements StreamingChunkStore {
  readonly #streaming: StreamingChunkStore;

  constructor(inner: StreamingChunkStore) {
    super(inner);
    this.#streaming = inner;
  }

  putChunkStream(
    chunkId: Digest,
    source: AsyncIterable<Uint8Array>,
    options?: PutChunkOptions & { readonly sizeBytes?: number | undefined },
  ): Promise<PutChunkResult> {
    const { chunkMaxBytes } = this.capabilities;
    const check = (): void => {
      checkChunkId(chunkId);
      checkPutOptions(options);
      if (typeof source?.[Symbol.asyncIterator] !== "function")
        reject("a chunk's source is an async iterable of bytes");
      const sizeBytes = options?.sizeBytes;
      if (sizeBytes === undefined) return;
      if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= 1)) reject("sizeBytes is an integer of at least 1");
      checkSize(sizeBytes, chunkMaxBytes);
    };
    return this.run(options?.signal, check, async () => {
      const guarded = new GuardedSource(source, { ...options, chunkMaxBytes });
      try {
        return await this.#streaming.putChunkStream(chunkId, guarded, options);
      } catch (error) {
        // Whatever the store made of it, the caller gets its own source's error back.
        throw guarded.failure ?? error;
      }
    });
  }
}

/**
 * Wraps a chunk store with everything that is the same in each: argument and size checks (INVALID_ARGUMENT, OBJECT_TOO_LARGE), the
 * closed state (STORE_CLOSED), and aborts that reject at once while the store below cleans up.
 *
 * The store below sees only valid calls. It must still look at `signal` itself, at the latest before the step that makes a write visible,
 * because the caller owns its bytes again once an abort has rejected the call. `close()` waits for every call, also for what an aborted one
 * still cleans up; a stream whose source neither ends nor is aborted keeps it waiting.
 */
export function checkedChunkStore(inner: StreamingChunkStore): StreamingChunkStore;
export function checkedChunkStore(inner: ChunkStore): ChunkStore;
export function checkedChunkStore(inner: ChunkStore): ChunkStore {
  return isStreamingChunkStore(inner) ? new CheckedStreamingChunkStore(inner) : new CheckedChunkStore(inner);
}
