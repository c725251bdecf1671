/**
 * Reads objects whose chunks lie in a store of this process, as with `ashlar serve`: from their files into memory of the gateway, without the engine.
 *
 * The bytes are checked once, against the CRC-32 of their blocks. Their SHA-256 goes with the answer and is left to the reader, because only the
 * reader can check end to end (docs/decisions/0049-checks-of-reads.md).
 */
import { namingObject, type RetryPolicy, withRetry } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import {
  type CallOptions,
  type ChunkReader,
  type GetObjectRequest,
  isOpeningChunkStore,
  type LocatedChunk,
  type OpenedObject,
  type OpeningChunkStore,
} from "@ashlar/sdk/ports";
import { onePieceAhead, pieceBytes, readPieces } from "../chunk-api/index.ts";
import type { BufferPool } from "../http/buffer-pool.ts";
import type { Piece } from "../http/piece.ts";
import type { GatewayContext } from "./gateway-context.ts";
import type { GatewayCall } from "./operations/operation.ts";

/** Retries for chunks of whole objects that the gateway itself moves: senders and readers of these have only one try, and wait for the answer. */
export const CHUNK_RETRY: RetryPolicy = Object.freeze({ forMs: 5000 });

/** The store of this process in which all chunks lie; `undefined` where they lie on nodes, or in memory. What is damaged there is counted. */
export async function ownStoreOf(
  { topology, badCopies }: Pick<GatewayContext, "topology" | "badCopies">,
  options: CallOptions,
): Promise<OpeningChunkStore | undefined> {
  // A topology that has layouts is a cluster, even if it has only one node today.
  if (topology.view !== undefined) return undefined;
  const [only, second] = await topology.allStores(options);
  return only !== undefined && second === undefined && isOpeningChunkStore(only.store)
    ? badCopies.watched(only.store)
    : undefined;
}

/** How a reader gets pieces: `lent` from the gateway's buffers, to be given back, or `kept` by the reader. */
export type PieceKind = "lent" | "kept";

/** An object whose bytes can be read as pieces. */
export interface ReadableObject extends OpenedObject {
  /**
   * Replaces `read` where the chunks lie in this process. Memory: two pieces, or one if the budget has no room for a second.
   *
   * @throws {AshlarError} (from the pieces) CHUNK_MISSING, CHUNK_CORRUPT, METADATA_CORRUPT, OVERLOADED, STORE_CLOSED.
   */
  readonly pieces?: ((kind: PieceKind) => AsyncIterable<Piece>) | undefined;
}

/** Opens an object for a reader outside of this process. */
export async function openForReader(
  context: GatewayContext,
  request: GetObjectRequest,
  { signal, budget: budgetOf }: Pick<GatewayCall, "signal" | "budget">,
): Promise<ReadableObject> {
  const budget = budgetOf();
  const opened = await context.engine.openObject(request, { signal, budget });
  // If the digests of chunks are to be checked, the engine reads, because it checks them.
  if (opened.chunks === undefined || request.verify === "chunks") return opened;
  const store = await ownStoreOf(context, { signal });
  if (store === undefined) return opened;
  const { chunks, length } = opened;
  const pieces = (kind: PieceKind): AsyncIterable<Piece> => {
    const buffers = kind === "lent" ? context.buffers : undefined;
    const inOrder = readObject({ ...context, store, signal, buffers }, opened, chunks());
    return onePieceAhead(inOrder, { heldBytes: pieceBytes(length), budget, signal });
  };
  return { ...opened, pieces };
}

interface OwnReading extends Pick<GatewayContext, "clock" | "random" | "logger"> {
  readonly store: OpeningChunkStore;
  readonly signal: AbortSignal | undefined;
  readonly buffers: BufferPool | undefined;
}

async function* readObject(
  reading: OwnReading,
  opened: Pick<OpenedObject, "info" | "offset" | "length">,
  chunks: AsyncIterable<LocatedChunk>,
): AsyncGenerator<Piece, void, undefined> {
  try {
    yield* readPiecesOf(reading, opened, chunks);
  } catch (thrown) {
    const { bucket, key } = opened.info;
    const error = namingObject(thrown, { bucket, key });
    if (error !== thrown) reading.logger.error({ err: thrown, bucket, key }, "an object cannot be read");
    throw error;
  }
}

async function* readPiecesOf(
  reading: OwnReading,
  { offset, length }: Pick<OpenedObject, "offset" | "length">,
  chunks: AsyncIterable<LocatedChunk>,
): AsyncGenerator<Piece, void, undefined> {
  const end = offset + length;
  const patience = { clock: reading.clock, random: reading.random, signal: reading.signal, retry: CHUNK_RETRY };
  for await (const chunk of chunks) {
    const reader = await withRetry(() => openChunk(reading, chunk), patience);
    const start = Math.max(0, offset - chunk.offset);
    const span = { offset: start, length: Math.min(chunk.sizeBytes, end - chunk.offset) - start };
    // A read that failed no longer writes to its target, so the next try may fill it. After an abort there is no next try.
    const read: ChunkReader["read"] = (...args) => withRetry(() => reader.read(...args), patience);
    try {
      yield* readPieces({ read }, span, reading);
    } finally {
      await reader.close();
    }
  }
}

async function openChunk(
  { store, logger, signal }: OwnReading,
  { chunkId, sizeBytes }: LocatedChunk,
): Promise<ChunkReader> {
  const reader = await store.openChunk(chunkId, { signal });
  if (reader?.sizeBytes === sizeBytes) return reader;
  await reader?.close();
  const details = { chunkId: encodeHex(chunkId) };
  if (reader === undefined) {
    logger.warn(details, "a chunk is absent");
    throw new AshlarError("CHUNK_MISSING", `the store does not hold chunk ${details.chunkId}`, { details });
  }
  logger.error(details, "a chunk has another size than its object's manifest tells");
  throw new AshlarError("CHUNK_CORRUPT", "the bytes read are not those of the chunk", { details });
}
