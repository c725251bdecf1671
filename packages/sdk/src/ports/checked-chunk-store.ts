import type { Digest } from "../hash/digest.ts";
import { CheckedWholeChunks, checkChunkId, checkPutOptions, checkSize, reject } from "./checked-whole-chunks.ts";
import {
  type ChunkStore,
  isStreamingChunkStore,
  type PutChunkOptions,
  type PutChunkResult,
  type StreamingChunkStore,
} from "./chunk-store.ts";
import { GuardedSource } from "./guarded-source.ts";

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
  return isStreamingChunkStore(inner) ? new CheckedStreamingChunkStore(inner) : new CheckedWholeChunks(inner);
}
