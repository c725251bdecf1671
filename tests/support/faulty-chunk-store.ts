import { AshlarError, abortError, type ErrorCode } from "@ashlar/sdk/errors";
import type { CallOptions, ChunkStore, Digest } from "@ashlar/sdk/ports";

/** A call on its way to the store below; a fault may delay it, answer it, or change its answer. */
export interface FaultyCall<Answer, Options extends CallOptions = CallOptions> {
  readonly chunkId: Digest;
  readonly bytes: Uint8Array | undefined;
  readonly options: Options;
  /** Asks the store below. */
  pass(): Promise<Answer>;
}

/** What goes wrong, by method; absent: nothing. Mutable, so that a test can break and repair a store while it runs. */
export interface ChunkStoreFaults {
  putChunk?:
    | ((call: FaultyCall<Awaited<ReturnType<ChunkStore["putChunk"]>>>) => ReturnType<ChunkStore["putChunk"]>)
    | undefined;
  getChunk?: ((call: FaultyCall<Uint8Array | undefined>) => Promise<Uint8Array | undefined>) | undefined;
  deleteChunks?: (() => ReturnType<ChunkStore["deleteChunks"]>) | undefined;
}

/** A store with faults in front of it. Closing it does nothing: the test owns the store below. */
export function faultyChunkStore(inner: ChunkStore, faults: ChunkStoreFaults): ChunkStore {
  return {
    capabilities: inner.capabilities,
    putChunk(chunkId, bytes, options = {}) {
      const pass = (): ReturnType<ChunkStore["putChunk"]> => inner.putChunk(chunkId, bytes, options);
      return faults.putChunk?.({ chunkId, bytes, options, pass }) ?? pass();
    },
    getChunk(chunkId, options = {}) {
      const pass = (): Promise<Uint8Array | undefined> => inner.getChunk(chunkId, options);
      return faults.getChunk?.({ chunkId, bytes: undefined, options, pass }) ?? pass();
    },
    hasChunks: (chunkIds, options) => inner.hasChunks(chunkIds, options),
    deleteChunks: (chunkIds, options) => faults.deleteChunks?.() ?? inner.deleteChunks(chunkIds, options),
    listChunks: (options) => inner.listChunks(options),
    stats: (options) => inner.stats(options),
    close: async () => {},
  };
}

/** A fault that fails with a code. */
export function failing(code: ErrorCode): () => Promise<never> {
  return async () => {
    throw new AshlarError(code, `injected ${code}`);
  };
}

/** A fault that never answers, but honours an abort, as a transport does. */
export function hanging({ options }: { readonly options: CallOptions }): Promise<never> {
  return new Promise((_, reject) => {
    const { signal } = options;
    if (signal?.aborted) reject(abortError(signal));
    signal?.addEventListener("abort", () => reject(abortError(signal)), { once: true });
  });
}

/** A fault that never answers, whatever happens. */
export function dead(): Promise<never> {
  return new Promise(() => {});
}

/** A fault that answers late. */
export function delayed<Answer>(delayMs: number): (call: FaultyCall<Answer>) => Promise<Answer> {
  return async ({ pass }) => {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return pass();
  };
}
