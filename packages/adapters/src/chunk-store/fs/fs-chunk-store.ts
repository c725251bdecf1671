import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Digest } from "@ashlar/sdk/hash";
import {
  type CallOptions,
  type ChunkPage,
  type ChunkPresence,
  type ChunkReader,
  type ChunkStoreCapabilities,
  type ChunkStoreStats,
  type DeleteChunksOptions,
  type DeleteOutcome,
  DURABILITIES,
  type Durability,
  type GetChunkOptions,
  type HasChunksOptions,
  type ListChunksOptions,
  type OpeningChunkStore,
  type PutChunkOptions,
  type PutChunkResult,
  type ScrubbedChunk,
  type ScrubbingChunkStore,
  type ScrubChunkOptions,
  type ScrubRecord,
  type StreamingChunkStore,
} from "@ashlar/sdk/ports";
import { payloadBytesOf } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { type ChunkTrailer, type OpenedFile, openTrailer, readBlocks, readChunk } from "./chunk-reader.ts";
import { claimChunk, deleteChunk, findChunk, quarantine } from "./claim-protocol.ts";
import { identityOf, lookAt, mapConcurrent, toStoreError } from "./file-system.ts";
import { lostChunks, scrubChunk } from "./scrub-chunk.ts";
import { readScrubRecord, writeScrubRecord } from "./scrub-record.ts";
import type { MeetDatabase } from "./store-files.ts";
import { diskOf, type StoreHealth } from "./store-health.ts";
import { listChunks, type WalkParts } from "./walk-chunks.ts";
import { type PutOptions, type PutParts, putBytes, putStream } from "./write-chunk.ts";

/** Chunks of one batch that are worked on at once. */
const BATCH_CONCURRENCY = 4;

/** What one open store is made of. */
interface FsParts extends PutParts, WalkParts {
  readonly meetDatabase: MeetDatabase;
  readonly health: StoreHealth;
}

/** Settings of {@link FsChunkStore}. */
interface FsChunkStoreConfig {
  /** Unless a call says otherwise. */
  readonly durability: Durability;
  readonly chunkMaxBytes: number;
}

/** The store below the checks of `checkedChunkStore`. */
export class FsChunkStore implements StreamingChunkStore, OpeningChunkStore, ScrubbingChunkStore {
  readonly capabilities: ChunkStoreCapabilities;
  readonly #parts: FsParts;
  readonly #durability: Durability;

  constructor(parts: FsParts, { durability, chunkMaxBytes }: FsChunkStoreConfig) {
    this.#parts = parts;
    this.#durability = durability;
    this.capabilities = Object.freeze({ persistent: true, chunkMaxBytes, durabilities: DURABILITIES });
  }

  async putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult> {
    const place = this.#parts.names.place(chunkId);
    const putOptions = this.#putOptions(options);
    return await this.#io(true, () => putBytes(this.#parts, { place, bytes }, putOptions));
  }

  async putChunkStream(
    chunkId: Digest,
    source: AsyncIterable<Uint8Array>,
    options?: PutChunkOptions & { readonly sizeBytes?: number | undefined },
  ): Promise<PutChunkResult> {
    const place = this.#parts.names.place(chunkId);
    const putOptions = this.#putOptions(options);
    return await this.#io(true, () => putStream(this.#parts, { place, source }, putOptions));
  }

  #putOptions(options: PutChunkOptions | undefined): PutOptions {
    return { ...options, durability: options?.durability ?? this.#durability };
  }

  async getChunk(chunkId: Digest, options?: GetChunkOptions): Promise<Uint8Array | undefined> {
    const place = this.#parts.names.place(chunkId);
    return await this.#io(false, async () => {
      const opened = await this.#find(place);
      try {
        return opened && (await this.#guarded(place, opened, () => readChunk(opened, chunkId, options)));
      } finally {
        await opened?.handle.close();
      }
    });
  }

  async openChunk(chunkId: Digest, _options?: CallOptions): Promise<ChunkReader | undefined> {
    const place = this.#parts.names.place(chunkId);
    return await this.#io(false, async () => {
      const opened = await this.#find(place);
      if (opened === undefined) return undefined;
      try {
        const trailer = await this.#guarded(place, opened, () => openTrailer(opened, chunkId));
        return this.#reader(place, opened, trailer);
      } catch (error) {
        await opened.handle.close();
        throw error;
      }
    });
  }

  #reader(place: ChunkPlace, opened: OpenedFile, trailer: ChunkTrailer): ChunkReader {
    const chunk = { ...trailer, chunkId: place.chunkId };
    let closing: Promise<void> | undefined;
    return {
      sizeBytes: trailer.payloadBytes,
      read: (span, target) =>
        this.#io(false, () => this.#guarded(place, opened, () => readBlocks(opened, chunk, { ...span, target }))),
      close() {
        closing ??= opened.handle.close();
        return closing;
      },
    };
  }

  #find(place: ChunkPlace): Promise<OpenedFile | undefined> {
    return this.#guarded(place, undefined, () => findChunk(this.#parts, place));
  }

  /** Quarantines what `work` finds damaged. @param opened undefined: nothing could be opened, so the entry may be no file. */
  async #guarded<T>(place: ChunkPlace, opened: OpenedFile | undefined, work: () => Promise<T>): Promise<T> {
    const parts = this.#parts;
    try {
      return await work();
    } catch (error) {
      if (AshlarError.is(error, "CHUNK_CORRUPT")) {
        const identity = opened && identityOf(opened.stats);
        const problem = error.details.problem ?? error.message;
        await parts.locks.run(place.id, () => quarantine(parts, place, { identity, problem }));
      }
      throw error;
    }
  }

  async hasChunks(
    chunkIds: readonly Digest[],
    options: HasChunksOptions,
  ): Promise<ReadonlyArray<ChunkPresence | undefined>> {
    const { claim, signal } = options;
    return await this.#io(claim, () =>
      mapConcurrent(chunkIds, BATCH_CONCURRENCY, async (chunkId) => {
        throwIfAborted(signal);
        const place = this.#parts.names.place(chunkId);
        return await (claim ? claimChunk(this.#parts, place, this.#durability) : this.#peek(place));
      }),
    );
  }

  async #peek(place: ChunkPlace): Promise<ChunkPresence | undefined> {
    const found = (await lookAt(this.#parts, place.path)) ?? (await this.#lookAside(place));
    const payloadBytes = found?.isFile() ? payloadBytesOf(Number(found.size)) : undefined;
    return payloadBytes === undefined ? undefined : { sizeBytes: payloadBytes };
  }

  /** A reader may ask for the size first, so a chunk that another store has set aside counts as present here too. */
  async #lookAside(place: ChunkPlace): Promise<OpenedFile["stats"] | undefined> {
    try {
      const opened = await findChunk(this.#parts, place);
      await opened?.handle.close();
      return opened?.stats;
    } catch (error) {
      // The entry is no chunk: the next read or write sets it aside.
      if (AshlarError.is(error, "CHUNK_CORRUPT")) return undefined;
      throw error;
    }
  }

  async deleteChunks(chunkIds: readonly Digest[], options: DeleteChunksOptions): Promise<readonly DeleteOutcome[]> {
    const { unclaimedForMs, database, signal } = options;
    const parts = this.#parts;
    return await this.#io(false, async () => {
      const keptBeforeMs = database && (await parts.meetDatabase(database, parts.clock.nowMs()));
      return await mapConcurrent(chunkIds, BATCH_CONCURRENCY, async (chunkId) => {
        throwIfAborted(signal);
        return await deleteChunk(parts, parts.names.place(chunkId), { unclaimedForMs, keptBeforeMs });
      });
    });
  }

  async listChunks(options?: ListChunksOptions): Promise<ChunkPage> {
    return await this.#io(false, () => listChunks(this.#parts, options));
  }

  async scrubChunk(chunkId: Digest, options?: ScrubChunkOptions): Promise<ScrubbedChunk> {
    return await this.#io(false, () => scrubChunk(this.#parts, this.#parts.names.place(chunkId), options));
  }

  async lostChunks(_options?: CallOptions): Promise<readonly Digest[]> {
    return await this.#io(false, () => lostChunks(this.#parts));
  }

  async readScrubRecord(_options?: CallOptions): Promise<ScrubRecord | undefined> {
    const { fileSystem, names } = this.#parts;
    return await this.#io(false, () => readScrubRecord(fileSystem, names.root));
  }

  async writeScrubRecord(record: ScrubRecord, _options?: CallOptions): Promise<void> {
    const { fileSystem, names, owner } = this.#parts;
    await this.#io(false, () => writeScrubRecord(fileSystem, names.root, { record, unique: owner.token }));
  }

  async stats(_options?: CallOptions): Promise<ChunkStoreStats> {
    const { usage, fileSystem, names, badEntries, damaged } = this.#parts;
    return await this.#io(false, async () => {
      const { chunkCount, bytesUsed } = await usage.totals();
      const disk = await diskOf({ fileSystem, names });
      const [bytesFree, bytesTotal] = [disk.bavail * disk.bsize, disk.blocks * disk.bsize];
      const found = badEntries.list();
      return {
        ...{ chunkCount, bytesUsed, bytesFree, bytesTotal },
        badEntries: found.length === 0 ? undefined : found,
        damagedCount: damaged.count === 0 ? undefined : damaged.count,
      };
    });
  }

  async close(): Promise<void> {
    await this.#parts.usage.stop();
    this.#parts.owner.release();
  }

  /** Runs file system work and gives its errors their codes. */
  async #io<T>(writes: boolean, work: () => Promise<T>): Promise<T> {
    if (writes) this.#parts.health.assertWritable();
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
