import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest, decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type ChunkPage,
  type ChunkPresence,
  type ChunkStore,
  type ChunkStoreCapabilities,
  type ChunkStoreStats,
  type Clock,
  checkedChunkStore,
  type DeleteChunksOptions,
  type DeleteOutcome,
  type GetChunkOptions,
  type HasChunksOptions,
  type ListChunksOptions,
  meetDatabase,
  type PutChunkOptions,
  type PutChunkResult,
  type SeenDatabase,
  systemClock,
} from "@ashlar/sdk/ports";
import { decodeChunkCursor, resolveRange } from "../internal/chunk-request.ts";
import { nodeCryptoHasher } from "../internal/sha256.ts";

/** One chunk as the memory store keeps it. */
export interface MemoryChunk {
  readonly bytes: Uint8Array;
  /** On the store's clock, monotonic. */
  readonly claimedAtMs: number;
}

/** Options of {@link createMemoryChunkStore}. */
export interface MemoryChunkStoreOptions {
  /** Largest chunk in bytes; default 64 MiB, as for a storage node. */
  readonly chunkMaxBytes?: number | undefined;
  /** Payload bytes that the store takes before it answers DISK_FULL; default unlimited. */
  readonly capacityBytes?: number | undefined;
  readonly clock?: Clock | undefined;
  /** The chunks by hex id, so that a test can look inside and a second store can take over; default a new map. */
  readonly chunks?: Map<string, MemoryChunk> | undefined;
}

class MemoryChunkStore implements ChunkStore {
  readonly capabilities: ChunkStoreCapabilities;
  readonly #capacityBytes: number | undefined;
  readonly #clock: Clock;
  readonly #chunks: Map<string, MemoryChunk>;
  #bytesUsed = 0;
  #seen: SeenDatabase | undefined;

  constructor(options: MemoryChunkStoreOptions) {
    this.capabilities = Object.freeze({
      persistent: false,
      chunkMaxBytes: options.chunkMaxBytes ?? LIMITS.CHUNK_MAX_BYTES_DEFAULT,
      durabilities: Object.freeze([]),
    });
    this.#capacityBytes = options.capacityBytes;
    this.#clock = options.clock ?? systemClock;
    this.#chunks = options.chunks ?? new Map();
    for (const { bytes } of this.#chunks.values()) this.#bytesUsed += bytes.byteLength;
  }

  // Everything after the digest happens in one turn, so claim, write and delete of a chunk cannot interleave.
  async putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult> {
    const kept = bytes.slice();
    const digest = options?.digestVerified === true ? chunkId : await nodeCryptoHasher.digest(kept);
    throwIfAborted(options?.signal);
    if (!bytesEqual(digest, chunkId)) {
      throw new AshlarError("CHUNK_DIGEST_MISMATCH", "the bytes do not have the chunk id as their SHA-256");
    }
    const id = encodeHex(chunkId);
    const present = this.#chunks.get(id);
    if (present === undefined) this.#reserve(kept.byteLength);
    this.#chunks.set(id, { bytes: present?.bytes ?? kept, claimedAtMs: this.#clock.monotonicMs() });
    options?.onProgress?.(kept.byteLength);
    return { sizeBytes: kept.byteLength, alreadyPresent: present !== undefined };
  }

  #reserve(sizeBytes: number): void {
    if (this.#capacityBytes !== undefined && this.#bytesUsed + sizeBytes > this.#capacityBytes) {
      throw new AshlarError("DISK_FULL", `the memory store may hold ${this.#capacityBytes} bytes`);
    }
    this.#bytesUsed += sizeBytes;
  }

  async getChunk(chunkId: Digest, options?: GetChunkOptions): Promise<Uint8Array | undefined> {
    const chunk = this.#chunks.get(encodeHex(chunkId));
    if (chunk === undefined) return undefined;
    const range = resolveRange(chunk.bytes.byteLength, options);
    options?.onSize?.(chunk.bytes.byteLength);
    options?.onProgress?.(range.end - range.start);
    return chunk.bytes.slice(range.start, range.end);
  }

  async hasChunks(
    chunkIds: readonly Digest[],
    options: HasChunksOptions,
  ): Promise<ReadonlyArray<ChunkPresence | undefined>> {
    return chunkIds.map((chunkId) => {
      const id = encodeHex(chunkId);
      const chunk = this.#chunks.get(id);
      if (chunk === undefined) return undefined;
      if (options.claim) this.#chunks.set(id, { bytes: chunk.bytes, claimedAtMs: this.#clock.monotonicMs() });
      return { sizeBytes: chunk.bytes.byteLength };
    });
  }

  async deleteChunks(chunkIds: readonly Digest[], options: DeleteChunksOptions): Promise<readonly DeleteOutcome[]> {
    const { database, unclaimedForMs } = options;
    if (database !== undefined) this.#seen = meetDatabase(this.#seen, database, this.#clock.monotonicMs());
    const keptBeforeMs = (database && this.#seen?.keptBeforeMs) ?? Number.NEGATIVE_INFINITY;
    return chunkIds.map((chunkId) => {
      const id = encodeHex(chunkId);
      const chunk = this.#chunks.get(id);
      if (chunk === undefined) return "absent";
      if (this.#unclaimedForMs(chunk) < unclaimedForMs || chunk.claimedAtMs < keptBeforeMs) return "claimed";
      this.#chunks.delete(id);
      this.#bytesUsed -= chunk.bytes.byteLength;
      return "deleted";
    });
  }

  #unclaimedForMs(chunk: MemoryChunk): number {
    return Math.max(0, this.#clock.monotonicMs() - chunk.claimedAtMs);
  }

  /** Sorts all ids for each page: a memory store is for tests and small caches. */
  async listChunks(options?: ListChunksOptions): Promise<ChunkPage> {
    const after = decodeChunkCursor(options?.cursor);
    const limit = options?.limit ?? LIMITS.LIST_LIMIT_DEFAULT;
    const ids = [...this.#chunks.keys()].filter((id) => id > after).sort();
    const page = ids.slice(0, limit);
    const chunks = page.map((id) => {
      const chunk = this.#chunks.get(id) as MemoryChunk;
      return {
        chunkId: decodeDigestHex(id),
        sizeBytes: chunk.bytes.byteLength,
        unclaimedForMs: this.#unclaimedForMs(chunk),
      };
    });
    return ids.length > page.length ? { chunks, nextCursor: page.at(-1) } : { chunks };
  }

  async stats(): Promise<ChunkStoreStats> {
    const stats = { chunkCount: this.#chunks.size, bytesUsed: this.#bytesUsed };
    if (this.#capacityBytes === undefined) return stats;
    return { ...stats, bytesFree: this.#capacityBytes - this.#bytesUsed, bytesTotal: this.#capacityBytes };
  }

  async close(): Promise<void> {}
}

/** A chunk store in this process's memory, for tests and for stores that may forget. Chunks are copied in and out. */
export function createMemoryChunkStore(options: MemoryChunkStoreOptions = {}): ChunkStore {
  return checkedChunkStore(new MemoryChunkStore(options));
}
