import { LIMITS, MIB } from "@ashlar/sdk/limits";
import type { ChunkReader, ChunkSpan, ReadBudget } from "@ashlar/sdk/ports";
import { type BufferPool, createBufferPool, freshBuffer, type LentBuffer } from "../http/buffer-pool.ts";
import type { Piece } from "../http/piece.ts";

/** What a reader checks at once, as the port says. */
const BLOCK_BYTES = LIMITS.CHECKSUM_BLOCK_BYTES;

/** Bytes of one read: several fit into a processor's cache on their way from the file to the socket, and a call for each costs little. */
const PIECE_BYTES = MIB;

/** 32 MiB: sixteen answers of two pieces each that are taken at the same time. */
const IDLE_MAX = 32;

/** Memory for pieces of chunks. One pool per server, so that idle memory is bounded. */
export function createPieceBuffers(): BufferPool {
  return createBufferPool({ bufferBytes: PIECE_BYTES, idleMax: IDLE_MAX });
}

/** The most that one piece of `length` bytes takes in memory, its blocks included. */
export function pieceBytes(length: number): number {
  return Math.min(PIECE_BYTES, length + 2 * BLOCK_BYTES);
}

/**
 * Reads a part of an open chunk piece by piece; the next piece when it is asked for.
 *
 * @param options.buffers lend large pieces; absent: the reader keeps all pieces.
 */
export async function* readPieces(
  reader: Pick<ChunkReader, "read">,
  { offset, length }: ChunkSpan,
  { buffers, signal }: { readonly buffers: BufferPool | undefined; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Piece, void, undefined> {
  const end = offset + length;
  for (let position = offset; position < end; ) {
    const span = { offset: position, length: end - position };
    const buffer = bufferFor(span, buffers);
    const bytes = await reader.read(span, buffer.bytes, { signal });
    yield { bytes, byteLength: bytes.byteLength, giveBack: buffer.giveBack };
    position += bytes.byteLength;
  }
}

/** Small pieces get what they need: a lent buffer would be mostly empty. */
function bufferFor({ offset, length }: ChunkSpan, buffers: BufferPool | undefined): LentBuffer {
  const start = Math.floor(offset / BLOCK_BYTES) * BLOCK_BYTES;
  const end = Math.ceil((offset + length) / BLOCK_BYTES) * BLOCK_BYTES;
  const neededBytes = Math.min(PIECE_BYTES, end - start);
  if (buffers !== undefined && neededBytes > PIECE_BYTES / 2) return buffers.take();
  return { bytes: freshBuffer(neededBytes), giveBack: () => {} };
}

/**
 * The same pieces, read one ahead: the next piece is read while the last one is sent, if the budget has room for two. Room for the first piece is
 * taken before anything is read.
 *
 * @param options.heldBytes memory of one piece.
 * @throws {AshlarError} OVERLOADED without room for the first.
 */
export async function* onePieceAhead(
  pieces: AsyncGenerator<Piece, void, undefined>,
  options: {
    readonly heldBytes: number;
    readonly budget: ReadBudget | undefined;
    readonly signal: AbortSignal | undefined;
  },
): AsyncGenerator<Piece, void, undefined> {
  const { heldBytes, budget, signal } = options;
  const held = [await budget?.take(heldBytes, { signal })];
  try {
    let next = await pieces.next();
    while (next.done !== true) {
      if (held.length === 1) {
        const more = budget?.tryTake(heldBytes);
        if (more !== undefined) held.push(more);
      }
      const ahead = budget === undefined || held.length === 2 ? pieces.next() : undefined;
      // Its error is reported when it is awaited; until then it must not count as unhandled.
      ahead?.catch(() => {});
      yield next.value;
      next = await (ahead ?? pieces.next());
    }
  } finally {
    for (const giveBack of held) giveBack?.();
    await pieces.return();
  }
}
