import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest } from "@ashlar/sdk/hash";
import {
  type CallOptions,
  type ChunkPage,
  type ChunkPresence,
  type ChunkStoreCapabilities,
  type ChunkStoreStats,
  type DeleteChunksOptions,
  type DeleteOutcome,
  DURABILITIES,
  type Durability,
  type GetChunkOptions,
  type HasChunksOptions,
  type ListChunksOptions,
  type PutChunkOptions,
  type PutChunkResult,
  type StreamingChunkStore,
} from "@ashlar/sdk/ports";
import { mapConcurrent } from "../../internal/map-concurrent.ts";
import { nodeCryptoHasher } from "../../internal/sha256.ts";
import { payloadBytesOf } from "./chunk-format.ts";
import type { ChunkPlace } from "./chunk-names.ts";
import { readChunk } from "./chunk-reader.ts";
import { type ClaimOutcome, claimPresent, identityOf, isSynced, openPresent, quarantine } from "./claims.ts";
import { holdsSame, type IncomingContent } from "./compare-present.ts";
import { deleteChunk } from "./delete-chunk.ts";
import { assertRoom } from "./disk-room.ts";
import { findChunk } from "./find-chunk.ts";
import { toStoreError } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { listChunks } from "./list-chunks.ts";
import { lookAt, type OpenedFile } from "./look-at.ts";
import { BufferPool, writeStream } from "./stream-write.ts";
import { type PublishOptions, publish, withTemp } from "./write-chunk.ts";

/** Chunks of one batch that are worked on at once. */
const BATCH_CONCURRENCY = 4;
const PIECE_BYTES = 4 * 1024 * 1024;

/** What {@link FsChunkStore} is opened with. */
export interface FsChunkStoreConfig {
  readonly root: string;
  readonly durability: Durability;
  readonly chunkMaxBytes: number;
  /** Called once at the end of `close()`. */
  readonly onClosed: () => void;
}

/** The store below the checks of `checkedChunkStore`. */
export class FsChunkStore implements StreamingChunkStore {
  readonly capabilities: ChunkStoreCapabilities;
  readonly #parts: FsParts;
  readonly #config: FsChunkStoreConfig;
  readonly #pool = new BufferPool();

  constructor(parts: FsParts, config: FsChunkStoreConfig) {
    this.#parts = parts;
    this.#config = config;
    this.capabilities = Object.freeze({
      persistent: true,
      chunkMaxBytes: config.chunkMaxBytes,
      rangedReads: true,
      durabilities: DURABILITIES,
    });
  }

  async putChunk(chunkId: Digest, bytes: Uint8Array, options?: PutChunkOptions): Promise<PutChunkResult> {
    const place = this.#parts.names.place(chunkId);
    return await this.#io(true, async () =>
      this.#parts.locks.run(place.id, async () => {
        throwIfAborted(options?.signal);
        const digestRight = options?.digestVerified === true ? undefined : checkDigest(chunkId, bytes);
        const target = this.#publishOptions(options);
        const sizeBytes = bytes.byteLength;
        const found = await this.#claimIfSame(place, { incoming: { sizeBytes, bytes }, digestRight, target });
        const alreadyPresent = found === "claimed";
        const replaces = found === "in-doubt";
        if (!alreadyPresent) await this.#writeBytes(place, { bytes, digestRight, target: { ...target, replaces } });
        options?.onProgress?.(sizeBytes);
        return { sizeBytes, alreadyPresent };
      }),
    );
  }

  async putChunkStream(
    chunkId: Digest,
    source: AsyncIterable<Uint8Array>,
    options?: PutChunkOptions & { readonly sizeBytes?: number | undefined },
  ): Promise<PutChunkResult> {
    const parts = this.#parts;
    const place = parts.names.place(chunkId);
    const target = this.#publishOptions(options);
    return await this.#io(true, async () => {
      let result: PutChunkResult | undefined;
      await assertRoom(parts, this.#config.root, 0);
      // The lock is taken only to publish: a slow source must not keep others from this chunk.
      await withTemp(parts, async (temp) => {
        const hash = nodeCryptoHasher.incremental();
        const { writer } = temp;
        const { onProgress } = options ?? {};
        await parts.step("write", async () => {
          const digest = await writeStream(source, { writer, hash, pool: this.#pool, onProgress });
          assertDigest(chunkId, digest);
          await writer.finish(chunkId);
        });
        const { sizeBytes } = writer;
        if (isSynced(target.durability)) await parts.step("fsync", () => temp.handle.datasync());
        return await parts.locks.run(place.id, async () => {
          const incoming = { sizeBytes, checksums: writer.checksums };
          const found = await this.#claimIfSame(place, { incoming, digestRight: undefined, target });
          const alreadyPresent = found === "claimed";
          if (!alreadyPresent) await publish(parts, place, temp, { ...target, replaces: found === "in-doubt" });
          result = { sizeBytes, alreadyPresent };
          return !alreadyPresent;
        });
      });
      return result as PutChunkResult;
    });
  }

  /** Claims the chunk if it is there whole, and can be made as durable as asked. The bytes are checked first: wrong bytes must not claim anything. */
  async #claimIfSame(
    place: ChunkPlace,
    wanted: {
      readonly incoming: IncomingContent;
      readonly digestRight: Promise<void> | undefined;
      readonly target: PublishOptions;
    },
  ): Promise<ClaimOutcome> {
    const present = await openPresent(this.#parts, place);
    if (present === undefined) return "absent";
    try {
      await wanted.digestRight;
      const { durability, signal } = wanted.target;
      throwIfAborted(signal);
      if (!(await holdsSame(this.#parts, place, present, { ...wanted.incoming, signal }))) return "absent";
      return await claimPresent(this.#parts, place, present, durability);
    } finally {
      await present.handle.close();
    }
  }

  async #writeBytes(
    place: ChunkPlace,
    chunk: {
      readonly bytes: Uint8Array;
      readonly digestRight: Promise<void> | undefined;
      readonly target: PublishOptions;
    },
  ): Promise<void> {
    const { bytes, target } = chunk;
    await assertRoom(this.#parts, this.#config.root, bytes.byteLength);
    await withTemp(this.#parts, async (temp) => {
      await this.#parts.step("write", async () => {
        for (let offset = 0; offset < bytes.byteLength; offset += PIECE_BYTES) {
          throwIfAborted(target.signal);
          await temp.writer.append(bytes.subarray(offset, offset + PIECE_BYTES));
        }
        await temp.writer.finish(place.chunkId);
      });
      await chunk.digestRight;
      if (isSynced(target.durability)) await this.#parts.step("fsync", () => temp.handle.datasync());
      await publish(this.#parts, place, temp, target);
      return true;
    });
  }

  async getChunk(chunkId: Digest, options?: GetChunkOptions): Promise<Uint8Array | undefined> {
    const parts = this.#parts;
    const place = parts.names.place(chunkId);
    return await this.#io(false, async () => {
      let opened: OpenedFile | undefined;
      try {
        opened = await findChunk(parts, place);
        return opened && (await readChunk(opened, chunkId, options));
      } catch (error) {
        if (AshlarError.is(error, "CHUNK_CORRUPT")) {
          const identity = opened && identityOf(opened.stats);
          const problem = error.details.problem ?? error.message;
          await parts.locks.run(place.id, () => quarantine(parts, place, { identity, problem }));
        }
        throw error;
      } finally {
        await opened?.handle.close();
      }
    });
  }

  async hasChunks(
    chunkIds: readonly Digest[],
    options: HasChunksOptions,
  ): Promise<ReadonlyArray<ChunkPresence | undefined>> {
    const look = options.claim ? this.#claim.bind(this) : this.#peek.bind(this);
    return await this.#io(options.claim, () =>
      mapConcurrent(chunkIds, BATCH_CONCURRENCY, async (chunkId) => {
        throwIfAborted(options.signal);
        return await look(this.#parts.names.place(chunkId));
      }),
    );
  }

  async #peek(place: ChunkPlace): Promise<ChunkPresence | undefined> {
    const found = await lookAt(this.#parts, place.path);
    const payloadBytes = found?.isFile() ? payloadBytesOf(Number(found.size)) : undefined;
    return payloadBytes === undefined ? undefined : { sizeBytes: payloadBytes };
  }

  async #claim(place: ChunkPlace): Promise<ChunkPresence | undefined> {
    return await this.#parts.locks.run(place.id, async () => {
      const present = await openPresent(this.#parts, place);
      if (present === undefined) return undefined;
      try {
        const claimed = await claimPresent(this.#parts, place, present, this.#config.durability);
        // In doubt is as good as absent: whoever has the bytes puts them, and they are written anew.
        return claimed === "claimed" ? { sizeBytes: present.payloadBytes } : undefined;
      } finally {
        await present.handle.close();
      }
    });
  }

  async deleteChunks(chunkIds: readonly Digest[], options: DeleteChunksOptions): Promise<readonly DeleteOutcome[]> {
    const { unclaimedForMs, database, signal } = options;
    return await this.#io(false, async () => {
      const keptBeforeMs = database && (await this.#parts.database.meet(database, this.#parts.clock.nowMs()));
      return await mapConcurrent(chunkIds, BATCH_CONCURRENCY, async (chunkId) => {
        throwIfAborted(signal);
        return await deleteChunk(this.#parts, this.#parts.names.place(chunkId), { unclaimedForMs, keptBeforeMs });
      });
    });
  }

  async listChunks(options?: ListChunksOptions): Promise<ChunkPage> {
    return await this.#io(false, () => listChunks(this.#parts, options));
  }

  async stats(_options?: CallOptions): Promise<ChunkStoreStats> {
    return await this.#io(false, async () => {
      const totals = await this.#parts.usage.totals();
      const disk = await this.#parts.fileSystem.statfs(this.#config.root);
      const { chunkCount, bytesUsed } = totals;
      const found = this.#parts.badEntries.list();
      const badEntries = found.length === 0 ? undefined : found;
      const [bytesFree, bytesTotal] = [disk.bavail * disk.bsize, disk.blocks * disk.bsize];
      return { chunkCount, bytesUsed, bytesFree, bytesTotal, badEntries };
    });
  }

  async close(): Promise<void> {
    await this.#parts.usage.stop();
    this.#config.onClosed();
  }

  #publishOptions(options: PutChunkOptions | undefined): PublishOptions {
    const durability = options?.durability ?? this.#config.durability;
    return { durability, replaces: false, signal: options?.signal };
  }

  /** Runs file system work, giving its errors their codes. */
  async #io<T>(writes: boolean, work: () => Promise<T>): Promise<T> {
    if (writes) this.#parts.health.assertWritable();
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

/** Hashes beside the write; whoever makes the chunk visible or claims it waits for the promise first. @throws {AshlarError} CHUNK_DIGEST_MISMATCH */
function checkDigest(chunkId: Digest, bytes: Uint8Array): Promise<void> {
  const digestRight = nodeCryptoHasher.digest(bytes).then((digest) => assertDigest(chunkId, digest));
  // Met by whoever waits for it, which may be after it has failed.
  digestRight.catch(() => {});
  return digestRight;
}

function assertDigest(chunkId: Digest, digest: Digest): void {
  if (bytesEqual(chunkId, digest)) return;
  throw new AshlarError("CHUNK_DIGEST_MISMATCH", "the bytes do not have the chunk id as their SHA-256");
}
