/**
 * Objects whose chunks lie in a store of this very process, as with `ashlar serve`: read from their files into memory of the server's, without the engine.
 *
 * Their bytes are checked once, against the CRC-32 of their blocks, and their SHA-256 is left to the reader, who gets it with the answer: the one who
 * wants the end-to-end check is not here (docs/decisions/0049-checks-of-reads.md).
 */
import { type RetryPolicy, type Topology, withRetry } from "@ashlar/sdk/engine";
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

/** Of whole objects that the gateway's own engine moves: their senders and readers have but one try, and still wait for an answer. */
export const CHUNK_RETRY: RetryPolicy = Object.freeze({ forMs: 5000 });

/** The store of this process in which all chunks lie; `undefined` where they lie on nodes, or in memory. */
export async function ownStoreOf(topology: Topology, options: CallOptions): Promise<OpeningChunkStore | undefined> {
  // One that has layouts is a cluster, be it of one node today.
  if (topology.view !== undefined) return undefined;
  const [only, second] = await topology.allStores(options);
  return only !== undefined && second === undefined && isOpeningChunkStore(only.store) ? only.store : undefined;
}

/** How pieces are to be had: `lent` from the server's buffers, for those who give them back, or `kept`, the reader's for good. */
export type PieceKind = "lent" | "kept";

/** An object whose bytes can be had as pieces. */
export interface ReadableObject extends OpenedObject {
  /**
   * In place of `read`, where the chunks lie in this process. Memory: two pieces, as the budget has room.
   *
   * @throws {AshlarError} (from the pieces) CHUNK_MISSING, CHUNK_CORRUPT, METADATA_CORRUPT, OVERLOADED, STORE_CLOSED.
   */
  readonly pieces?: ((kind: PieceKind) => AsyncIterable<Piece>) | undefined;
}

/** Opens an object for a reader elsewhere. */
export async function openForReader(
  context: GatewayContext,
  request: GetObjectRequest,
  { signal, budget: budgetOf }: Pick<GatewayCall, "signal" | "budget">,
): Promise<ReadableObject> {
  const budget = budgetOf();
  const opened = await context.backend.openObject(request, { signal, budget });
  // Who asks for the digests of chunks gets them checked: by the engine.
  if (opened.chunks === undefined || request.verify === "chunks") return opened;
  const store = await ownStoreOf(context.topology, { signal });
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
  { offset, length }: Pick<OpenedObject, "offset" | "length">,
  chunks: AsyncIterable<LocatedChunk>,
): AsyncGenerator<Piece, void, undefined> {
  const end = offset + length;
  const patience = { clock: reading.clock, random: reading.random, signal: reading.signal, retry: CHUNK_RETRY };
  for await (const chunk of chunks) {
    const reader = await withRetry(() => openChunk(reading, chunk), patience);
    const start = Math.max(0, offset - chunk.offset);
    const span = { offset: start, length: Math.min(chunk.sizeBytes, end - chunk.offset) - start };
    // A read that failed has let go of its target, so the next try may fill it; after an abort there is none.
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
