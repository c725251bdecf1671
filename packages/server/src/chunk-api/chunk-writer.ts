import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest, encodeHex, type Hasher } from "@ashlar/sdk/hash";
import { type ChunkStore, type Durability, isStreamingChunkStore, type PutChunkResult } from "@ashlar/sdk/ports";
import type { ChunkCaller } from "./chunk-access.ts";
import type { ReceiptFacts } from "./chunk-api-options.ts";
import { emptyChunk, gatherChunk } from "./gather-chunk.ts";

/** A chunk on its way in, without its bytes. */
export interface IncomingChunk {
  readonly chunkId: Digest;
  /** Declared size; absent where the protocol does not tell (chunked HTTP). */
  readonly sizeBytes?: number | undefined;
  /** The node that the caller means. */
  readonly nodeId?: string | undefined;
  readonly durability?: Durability | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes chunks for RPC and plain HTTP. */
export interface ChunkWriter {
  /**
   * Refuses what can be refused before the body is read.
   * @throws {AshlarError} INVALID_ARGUMENT (another node is meant, size 0), OBJECT_TOO_LARGE, DISK_FULL.
   */
  check(chunk: IncomingChunk): Promise<void>;
  /** @throws {AshlarError} as `ChunkStore.putChunk`, and INVALID_ARGUMENT for a chunk without bytes; errors of the source pass through. */
  write(caller: ChunkCaller, chunk: IncomingChunk, source: AsyncIterable<Uint8Array>): Promise<PutChunkResult>;
  writeBytes(caller: ChunkCaller, chunk: IncomingChunk, bytes: Uint8Array): Promise<PutChunkResult>;
}

/** Parts that a {@link ChunkWriter} needs. */
export interface ChunkWriterOptions {
  readonly store: ChunkStore;
  readonly nodeId: string;
  readonly chunkMaxBytes: number;
  readonly hasher: Hasher;
  readonly issueReceipt: (facts: ReceiptFacts) => Promise<string>;
  readonly receiptsEndMs: () => number | undefined;
  readonly assertWritable?: (() => void | Promise<void>) | undefined;
  readonly onWriteFailed?: ((error: unknown) => void) | undefined;
}

export function createChunkWriter(options: ChunkWriterOptions): ChunkWriter {
  const { store, chunkMaxBytes, nodeId } = options;
  const put = async (
    caller: ChunkCaller,
    { chunkId }: IncomingChunk,
    run: () => Promise<PutChunkResult>,
  ): Promise<PutChunkResult> => {
    const notAfterMs = options.receiptsEndMs();
    let result: PutChunkResult;
    try {
      result = await run();
    } catch (error) {
      options.onWriteFailed?.(error);
      throw error;
    }
    if (caller.kind !== "write") return result;
    const { ticketId } = caller;
    const { sizeBytes, holders } = result;
    return { ...result, receipt: await options.issueReceipt({ ticketId, chunkId, sizeBytes, holders, notAfterMs }) };
  };
  return {
    async check(chunk) {
      if (chunk.nodeId !== undefined && chunk.nodeId !== nodeId) throw wrongNode(chunk.nodeId, nodeId);
      if (chunk.sizeBytes === 0) throw emptyChunk();
      if (chunk.sizeBytes !== undefined && chunk.sizeBytes > chunkMaxBytes)
        throw tooLarge(chunk.sizeBytes, chunkMaxBytes);
      await options.assertWritable?.();
    },
    write(caller, chunk, source) {
      const { chunkId, sizeBytes, durability, signal } = chunk;
      return put(caller, chunk, async () => {
        if (isStreamingChunkStore(store)) {
          return await store.putChunkStream(chunkId, source, { sizeBytes, durability, signal });
        }
        return await putVerified(options, chunk, await gatherChunk(source, { sizeBytes, chunkMaxBytes }));
      });
    },
    writeBytes(caller, chunk, bytes) {
      return put(caller, chunk, () => putVerified(options, chunk, bytes));
    },
  };
}

/**
 * Checks the digest of the bytes before the store is asked at all. How soon a store refuses wrong bytes depends on whether it holds the chunk, so the
 * time would tell that.
 */
async function putVerified(
  { store, hasher }: ChunkWriterOptions,
  { chunkId, durability, signal }: IncomingChunk,
  bytes: Uint8Array,
): Promise<PutChunkResult> {
  if (bytes.byteLength > 0 && !bytesEqual(await hasher.digest(bytes), chunkId)) {
    throw new AshlarError("CHUNK_DIGEST_MISMATCH", "the bytes do not have the chunk id as their SHA-256", {
      details: { chunkId: encodeHex(chunkId) },
    });
  }
  return await store.putChunk(chunkId, bytes, { durability, signal, digestVerified: true });
}

function tooLarge(sizeBytes: number, chunkMaxBytes: number): AshlarError {
  const details = { sizeBytes: String(sizeBytes), chunkMaxBytes: String(chunkMaxBytes) };
  return new AshlarError("OBJECT_TOO_LARGE", `a chunk has at most ${chunkMaxBytes} bytes here`, { details });
}

function wrongNode(meant: string, nodeId: string): AshlarError {
  const details = { nodeId, meantNodeId: meant.slice(0, 64) };
  return new AshlarError("INVALID_ARGUMENT", "the request is meant for another node", { details });
}
