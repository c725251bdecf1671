import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import {
  type ByteRange,
  type CallOptions,
  type ChunkReader,
  type ChunkSpan,
  type ChunkStore,
  isOpeningChunkStore,
  type OpeningChunkStore,
  type ReadBudget,
} from "@ashlar/sdk/ports";
import type { BufferPool } from "../http/buffer-pool.ts";
import { begun, type Piece } from "../http/piece.ts";
import { onePieceAhead, pieceBytes, readPieces } from "./chunk-pieces.ts";

/** A chunk opened for reading: its first bytes are here, so most failures have happened by now. */
export interface OpenedChunk extends ChunkSpan {
  readonly sizeBytes: number;
  /** The wanted bytes in order; to be read once, or closed. The next piece is read while the last one is sent. */
  readonly pieces: AsyncIterable<Piece>;
  /** All wanted bytes, where they came in one slice of their own memory. */
  readonly whole: Uint8Array | undefined;
}

/** Options of {@link openChunk}. */
export interface OpenChunkOptions extends CallOptions {
  /** Cut at the chunk's end; a negative offset counts from there. Absent: the whole chunk. */
  readonly range?: ByteRange | undefined;
  /** Budget for the pieces that are held; its owner takes back what is left when the answer is over. */
  readonly budget?: ReadBudget | undefined;
  /** Lends the pieces; absent: the reader keeps them. */
  readonly buffers?: BufferPool | undefined;
  /** As in `ChunkApiOptions`. */
  readonly wholeInOneCall?: boolean | undefined;
  /** Called if the store does not have the chunk. */
  readonly onAbsent?: ((chunkId: Digest) => void) | undefined;
}

/** Bytes of one call to a store that cannot open chunks: a chunk of the default size, because each call is a round trip to a node. */
const SLICE_BYTES = 4 * MIB;

/** Length of a chunk. @throws {AshlarError} CHUNK_NOT_FOUND. */
export async function chunkSize(store: ChunkStore, chunkId: Digest, signal?: AbortSignal): Promise<number> {
  const [presence] = await store.hasChunks([chunkId], { claim: false, signal });
  if (presence === undefined) throw chunkNotFound(chunkId);
  return presence.sizeBytes;
}

/**
 * Opens a chunk or a range of it, and tells its size: in one call of the store, which reads no more than the blocks of the range.
 *
 * Memory: two pieces, or two slices of a store that cannot open chunks; the chunk, if it is wanted whole and in one call.
 *
 * @throws {AshlarError} CHUNK_NOT_FOUND, OVERLOADED without room in the budget, INVALID_RANGE with `details.sizeBytes` for a range that begins past
 *   the end, and what the store throws; also from the pieces, after the first.
 */
export async function openChunk(store: ChunkStore, chunkId: Digest, options: OpenChunkOptions): Promise<OpenedChunk> {
  try {
    return isOpeningChunkStore(store)
      ? await openFile(store, chunkId, options)
      : await openByCalls(store, chunkId, options);
  } catch (error) {
    if (AshlarError.is(error, "CHUNK_NOT_FOUND")) options.onAbsent?.(chunkId);
    throw error;
  }
}

async function openFile(store: OpeningChunkStore, chunkId: Digest, options: OpenChunkOptions): Promise<OpenedChunk> {
  const { budget, signal } = options;
  const reader = await store.openChunk(chunkId, { signal });
  if (reader === undefined) throw chunkNotFound(chunkId);
  try {
    const { sizeBytes } = reader;
    const span = spanWithin(options.range, sizeBytes);
    const inOrder = closedAtEnd(reader, span, options);
    const pieces = await begun(onePieceAhead(inOrder, { heldBytes: pieceBytes(span.length), budget, signal }));
    return { ...span, sizeBytes, pieces, whole: undefined };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function* closedAtEnd(
  reader: ChunkReader,
  span: ChunkSpan,
  { buffers, signal }: OpenChunkOptions,
): AsyncGenerator<Piece, void, undefined> {
  try {
    yield* readPieces(reader, span, { buffers, signal });
  } finally {
    await reader.close();
  }
}

async function openByCalls(store: ChunkStore, chunkId: Digest, options: OpenChunkOptions): Promise<OpenedChunk> {
  const { budget, signal } = options;
  let told: number | undefined;
  const onSize = (sizeBytes: number): void => {
    told ??= sizeBytes;
  };
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const slice = await store.getChunk(chunkId, { offset, length, signal, onSize });
    if (slice === undefined) throw chunkNotFound(chunkId);
    return slice;
  };
  /** The size, for certain even if some of the nodes behind the store are away: where no read told it yet, the first byte is read for it. */
  const sizeOf = async (): Promise<number> => {
    if (told === undefined) await read(0, 1);
    told ??= await chunkSize(store, chunkId, signal);
    return told;
  };
  const { offset: from, length: wanted = SLICE_BYTES } = options.range ?? { offset: 0 };
  const start = from < 0 ? Math.max(0, (await sizeOf()) + from) : from;
  const asked = Math.min(wanted, SLICE_BYTES);
  const giveBack = await budget?.take(asked, { signal });
  const first = await read(start, asked).catch(async (error: unknown) => {
    giveBack?.();
    throw AshlarError.is(error, "INVALID_RANGE") ? rangeError(start, await sizeOf()) : error;
  });
  giveBack?.(first.byteLength);
  const sizeBytes = await sizeOf();
  const span = spanWithin(options.range, sizeBytes);
  if (options.wholeInOneCall === true && span.length === sizeBytes && first.byteLength < sizeBytes) {
    giveBack?.();
    await budget?.take(sizeBytes, { signal });
    const whole = await read(0, sizeBytes);
    assertWhole(whole, sizeBytes);
    return { ...span, sizeBytes, whole, pieces: kept([whole]) };
  }
  const slices = { first, span, giveBack };
  assertWhole(first, Math.min(span.length, SLICE_BYTES));
  const whole = first.byteLength === span.length ? first : undefined;
  return { ...span, sizeBytes, whole, pieces: kept(whole ? [first] : readOn(slices, read, budget)) };
}

/** @throws {AshlarError} INVALID_RANGE. */
function spanWithin(range: ByteRange | undefined, sizeBytes: number): ChunkSpan {
  const { offset, length = sizeBytes } = range ?? { offset: 0 };
  const start = offset < 0 ? Math.max(0, sizeBytes + offset) : offset;
  if (start >= sizeBytes) throw rangeError(start, sizeBytes);
  return { offset: start, length: Math.min(length, sizeBytes - start) };
}

/** @param begun.giveBack of the first slice. */
async function* readOn(
  begun: {
    readonly first: Uint8Array;
    readonly span: ChunkSpan;
    readonly giveBack: ((keptBytes?: number) => void) | undefined;
  },
  read: (offset: number, length: number) => Promise<Uint8Array>,
  budget: ReadBudget | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { offset, length } = begun.span;
  const end = offset + length;
  let { first: slice, giveBack } = begun;
  let position = offset + slice.byteLength;
  while (position < end) {
    const wanted = Math.min(end - position, SLICE_BYTES);
    const more = budget?.tryTake(wanted);
    const ahead = budget === undefined || more !== undefined ? read(position, wanted) : undefined;
    // Its error is reported when it is awaited; until then it must not count as unhandled.
    ahead?.catch(() => {});
    yield slice;
    if (more !== undefined) {
      giveBack?.();
      giveBack = more;
    }
    slice = await (ahead ?? read(position, wanted));
    assertWhole(slice, wanted);
    position += slice.byteLength;
  }
  yield slice;
}

function assertWhole({ byteLength }: Uint8Array, wantedBytes: number): void {
  if (byteLength !== wantedBytes) throw new AshlarError("CHUNK_CORRUPT", "the chunk is shorter than it was");
}

/** Slices as pieces that are not lent. */
async function* kept(slices: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Piece, void, undefined> {
  for await (const bytes of slices) yield { bytes, byteLength: bytes.byteLength, giveBack: () => {} };
}

function rangeError(offset: number, sizeBytes: number): AshlarError {
  return new AshlarError("INVALID_RANGE", `the chunk has ${sizeBytes} bytes, so none at ${offset}`, {
    details: { sizeBytes: String(sizeBytes) },
  });
}

function chunkNotFound(chunkId: Digest): AshlarError {
  const details = { chunkId: encodeHex(chunkId) };
  return new AshlarError("CHUNK_NOT_FOUND", "the chunk is not here", { details });
}
