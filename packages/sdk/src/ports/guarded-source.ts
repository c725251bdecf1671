import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";

/** Bounds of a {@link GuardedSource}. */
export interface GuardedSourceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Declared size; more is OBJECT_TOO_LARGE, less CHUNK_DIGEST_MISMATCH. */
  readonly sizeBytes?: number | undefined;
  readonly chunkMaxBytes: number;
}

/**
 * A caller's byte stream, made safe to read: pieces are checked and counted, and an abort ends a wait for the next piece at once.
 *
 * Holds no bytes. When the reader stops early, the source's `return()` is called but not awaited: a stalled source would not
 * answer. An error that the source itself throws is kept in {@link failure}, so that it can pass through a store unchanged.
 */
export class GuardedSource implements AsyncIterable<Uint8Array> {
  /** What the source threw, if it was the source that failed. */
  failure: unknown;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #options: GuardedSourceOptions;

  constructor(source: AsyncIterable<Uint8Array>, options: GuardedSourceOptions) {
    this.#source = source;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, sizeBytes, chunkMaxBytes } = this.#options;
    const limitBytes = sizeBytes ?? chunkMaxBytes;
    const iterator = this.#open();
    let receivedBytes = 0;
    let ended = false;
    try {
      for (;;) {
        const next = await this.#next(iterator, signal);
        if (next.done === true) break;
        const piece: unknown = next.value;
        if (!(piece instanceof Uint8Array)) {
          throw new AshlarError("INVALID_ARGUMENT", "a chunk's source yields Uint8Array pieces");
        }
        receivedBytes += piece.byteLength;
        if (receivedBytes > limitBytes) {
          throw new AshlarError("OBJECT_TOO_LARGE", `the source has more than ${limitBytes} bytes`);
        }
        if (piece.byteLength > 0) yield piece;
      }
      ended = true;
      if (receivedBytes === 0) {
        throw new AshlarError("INVALID_ARGUMENT", "a chunk has at least one byte");
      }
    } finally {
      // A source that has failed or ended needs no return(). It is not awaited: a stalled source may never answer.
      if (!ended && this.failure === undefined) iterator.return?.().then(undefined, () => {});
    }
    if (sizeBytes !== undefined && receivedBytes < sizeBytes) {
      throw new AshlarError("CHUNK_DIGEST_MISMATCH", `the source ended after ${receivedBytes} of ${sizeBytes} bytes`);
    }
  }

  #open(): AsyncIterator<Uint8Array> {
    try {
      return this.#source[Symbol.asyncIterator]();
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  async #next(
    iterator: AsyncIterator<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<IteratorResult<Uint8Array>> {
    throwIfAborted(signal);
    return await raceAbort(this.#pull(iterator), signal);
  }

  async #pull(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    try {
      return await iterator.next();
    } catch (error) {
      if (this.#options.signal?.aborted !== true) this.failure = error;
      throw error;
    }
  }
}
