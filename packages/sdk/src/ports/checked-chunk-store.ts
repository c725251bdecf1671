import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/digest.ts";
import { CheckedWholeChunks, checkChunkId, checkPutOptions, checkSize, reject } from "./checked-whole-chunks.ts";
import {
  type CallOptions,
  type ChunkStore,
  isStreamingChunkStore,
  type PutChunkOptions,
  type PutChunkResult,
  type StreamingChunkStore,
} from "./chunk-store.ts";
import { GuardedSource } from "./guarded-source.ts";
import {
  type ChunkReader,
  type ChunkSpan,
  isOpeningChunkStore,
  type OpeningChunkStore,
} from "./opening-chunk-store.ts";
import {
  isScrubbingChunkStore,
  type ScrubbedChunk,
  type ScrubbingChunkStore,
  type ScrubChunkOptions,
  type ScrubRecord,
} from "./scrubbing-chunk-store.ts";

class CheckedStreamingChunkStore extends CheckedWholeChunks implements StreamingChunkStore {
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
        // The caller gets its own source's error back, even if the store has wrapped it.
        throw guarded.failure ?? error;
      }
    });
  }
}

class CheckedOpeningChunkStore extends CheckedStreamingChunkStore implements OpeningChunkStore {
  readonly #opening: OpeningChunkStore;

  constructor(inner: StreamingChunkStore & OpeningChunkStore) {
    super(inner);
    this.#opening = inner;
  }

  async openChunk(chunkId: Digest, options?: CallOptions): Promise<ChunkReader | undefined> {
    let opening: Promise<ChunkReader | undefined> | undefined;
    try {
      const check = (): void => checkChunkId(chunkId);
      const reader = await this.run(
        options?.signal,
        check,
        () => (opening = this.#opening.openChunk(chunkId, options)),
      );
      return reader && this.#checkedReader(reader);
    } catch (error) {
      // The call was aborted: nobody else closes a chunk that opens now.
      opening?.then((late) => late?.close()).catch(() => {});
      throw error;
    }
  }

  #checkedReader(inner: ChunkReader): ChunkReader {
    const { sizeBytes } = inner;
    const checkSpan = ({ offset, length }: ChunkSpan): void => {
      const isWithin = Number.isSafeInteger(offset) && offset >= 0 && offset + length <= sizeBytes;
      if (isWithin && Number.isSafeInteger(length) && length >= 1) return;
      throw new AshlarError("INVALID_RANGE", `a chunk of ${sizeBytes} bytes has no ${length} bytes at ${offset}`);
    };
    return {
      sizeBytes,
      read: (span, target, options) =>
        this.run(
          options?.signal,
          () => checkSpan(span),
          () => inner.read(span, target, options),
        ),
      close: () => inner.close(),
    };
  }
}

/** All that a store on a disk of this machine offers. */
type DiskChunkStore = StreamingChunkStore & OpeningChunkStore & ScrubbingChunkStore;

class CheckedDiskChunkStore extends CheckedOpeningChunkStore implements DiskChunkStore {
  readonly #scrubbing: ScrubbingChunkStore;

  constructor(inner: DiskChunkStore) {
    super(inner);
    this.#scrubbing = inner;
  }

  scrubChunk(chunkId: Digest, options?: ScrubChunkOptions): Promise<ScrubbedChunk> {
    return this.run(
      options?.signal,
      () => checkChunkId(chunkId),
      () => this.#scrubbing.scrubChunk(chunkId, options),
    );
  }

  lostChunks(options?: CallOptions): Promise<readonly Digest[]> {
    return this.#unchecked(options, () => this.#scrubbing.lostChunks(options));
  }

  readScrubRecord(options?: CallOptions): Promise<ScrubRecord | undefined> {
    return this.#unchecked(options, () => this.#scrubbing.readScrubRecord(options));
  }

  writeScrubRecord(record: ScrubRecord, options?: CallOptions): Promise<void> {
    return this.#unchecked(options, () => this.#scrubbing.writeScrubRecord(record, options));
  }

  #unchecked<T>(options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    return this.run(options?.signal, () => {}, work);
  }
}

/**
 * Wraps a chunk store with what is the same in every store: argument and size checks (INVALID_ARGUMENT, OBJECT_TOO_LARGE), the
 * closed state (STORE_CLOSED), and aborts that reject at once while the store below cleans up.
 *
 * The store below sees only valid calls. It must still check `signal` itself, at the latest before the step that makes a write visible,
 * because the caller owns its bytes again once an abort has rejected the call. `close()` waits for every call, and for the clean-up of aborted
 * ones; it waits without end for a stream whose source neither ends nor is aborted.
 */
export function checkedChunkStore(inner: DiskChunkStore): DiskChunkStore;
export function checkedChunkStore(
  inner: StreamingChunkStore & OpeningChunkStore,
): StreamingChunkStore & OpeningChunkStore;
export function checkedChunkStore(inner: StreamingChunkStore): StreamingChunkStore;
export function checkedChunkStore(inner: ChunkStore): ChunkStore;
export function checkedChunkStore(inner: ChunkStore): ChunkStore {
  if (!isStreamingChunkStore(inner)) return new CheckedWholeChunks(inner);
  if (!isOpeningChunkStore(inner)) return new CheckedStreamingChunkStore(inner);
  return isScrubbingChunkStore(inner) ? new CheckedDiskChunkStore(inner) : new CheckedOpeningChunkStore(inner);
}
