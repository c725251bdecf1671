import { encodeHex } from "../hash/digest.ts";
import type { ChunkStore, SpanAttributes, SpanKind, Tracer } from "../ports/index.ts";
import { type CallDescription, tracedPort } from "./traced-port.ts";

/** How {@link tracedChunkStore} names its spans. */
export interface TracedChunkStoreOptions {
  readonly tracer: Tracer;
  /** Spans are named `<prefix>.putChunk` and so on; default `store`. */
  readonly prefix?: string | undefined;
  /** Default `internal`. */
  readonly kind?: SpanKind | undefined;
  /** Attributes of every span. */
  readonly attributes?: SpanAttributes | undefined;
}

/** A chunk store with a span for each call. Spans have chunk ids and sizes, never bytes. Other abilities (streams, proofs, opening) stay. */
export function tracedChunkStore<Store extends ChunkStore>(store: Store, options: TracedChunkStoreOptions): Store {
  return tracedPort(store, { ...options, prefix: options.prefix ?? "store", ...CHUNK_CALLS });
}

const CHUNK_CALLS: CallDescription = {
  before(_method, [first, second]) {
    if (first instanceof Uint8Array) {
      const sizeBytes = second instanceof Uint8Array ? second.byteLength : undefined;
      return { "ashlar.chunk.id": encodeHex(first), "ashlar.size_bytes": sizeBytes };
    }
    return { "ashlar.chunk.count": Array.isArray(first) ? first.length : undefined };
  },
  after(_method, result) {
    if (result instanceof Uint8Array) return { "ashlar.size_bytes": result.byteLength };
    if (typeof result !== "object" || result === null || !("alreadyPresent" in result)) return {};
    const { sizeBytes, alreadyPresent } = result as { readonly sizeBytes?: number; readonly alreadyPresent?: boolean };
    return { "ashlar.size_bytes": sizeBytes, "ashlar.chunk.already_present": alreadyPresent };
  },
};
