import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest } from "../hash/digest.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import * as LIMITS from "../limit-values.ts";
import type {
  CallOptions,
  ChunkStore,
  DeleteChunksOptions,
  GetChunkOptions,
  HasChunksOptions,
  ListChunksOptions,
  PutChunkOptions,
  PutChunkResult,
} from "./chunk-store.ts";
import { DURABILITIES } from "./durability.ts";

const IDS_MAX = LIMITS.LIST_LIMIT_MAX;

/** @throws {AshlarError} INVALID_ARGUMENT, always. */
export function reject(message: string): never {
  throw new AshlarError("INVALID_ARGUMENT", message);
}

export function checkChunkId(chunkId: Digest): void {
  if (!(chunkId instanceof Uint8Array) || chunkId.byteLength !== DIGEST_BYTES) {
    reject("a chunk id has 32 bytes");
  }
}

function checkChunkIds(chunkIds: readonly Digest[]): void {
  if (!Array.isArray(chunkIds)) reject("chunk ids come as an array");
  if (chunkIds.length > IDS_MAX) reject(`one call takes up to ${IDS_MAX} chunk ids, not ${chunkIds.length}`);
  for (const chunkId of chunkIds) checkChunkId(chunkId);
}

export function checkSize(sizeBytes: number, chunkMaxBytes: number): void {
  if (sizeBytes <= chunkMaxBytes) return;
  throw new AshlarError("OBJECT_TOO_LARGE", `a chunk has at most ${chunkMaxBytes} bytes here`, {
    details: { sizeBytes: String(sizeBytes), chunkMaxBytes: String(chunkMaxBytes) },
  });
}

export function checkPutOptions(options: PutChunkOptions | undefined): void {
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
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1 && limit <= LIMITS.LIST_LIMIT_MAX)) {
    reject(`limit is an integer from 1 to ${LIMITS.LIST_LIMIT_MAX}`);
  }
  if (cursor !== undefined && typeof cursor !== "string") reject("a cursor is a string");
}

/**
 * What `checkedChunkStore` adds to a store that takes whole chunks. Remote stores need no more: they never stream through this port.
 *
 * State: whether it is closed, and which calls still run in the store below, aborted ones included.
 */
export class CheckedWholeChunks implements ChunkStore {
  readonly capabilities: ChunkStore["capabilities"];
  readonly #inner: ChunkStore;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(inner: ChunkStore) {
    this.#inner = inner;
    this.capabilities = inner.capabilities;
  }

  /** Runs `work` unless closed or aborted. Remembers it even after an abort, so that `close()` can wait for its clean-up. */
  protected async run<T>(signal: AbortSignal | undefined, check: () => void, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new AshlarError("STORE_CLOSED", "the chunk store is closed");
    check();
    throwIfAborted(signal);
    const running = work();
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    running.then(forget, forget);
    return await raceAbort(running, signal);
  }

  putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult> {
    const check = (): void => {
      checkChunkId(chunkId);
      if (!(bytes instanceof Uint8Array)) reject("a chunk's bytes are a Uint8Array");
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
