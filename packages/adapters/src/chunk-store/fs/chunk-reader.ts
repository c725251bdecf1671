import type { FileHandle } from "node:fs/promises";
import { throwIfAborted } from "@ashlar/sdk/errors";
import type { Digest } from "@ashlar/sdk/hash";
import type { GetChunkOptions } from "@ashlar/sdk/ports";
import { resolveRange } from "../../internal/byte-range.ts";
import {
  BLOCK_BYTES,
  checkFooter,
  corruptChunk,
  decodeTrailer,
  FOOTER_BYTES,
  payloadBytesOf,
  trailerBytes,
  verifyBlocks,
} from "./chunk-format.ts";
import type { OpenedFile } from "./look-at.ts";

/** Bytes per read call. Checking one piece costs about a millisecond, which is what the event loop is held for at most. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Files up to here are read in one call: a second call costs more than the bytes. */
const WHOLE_READ_MAX_BYTES = 4 * BLOCK_BYTES;

/** Fills `target` from `position`; returns the bytes read, fewer only at the end of the file. */
export async function readFully(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < target.byteLength) {
    const { bytesRead } = await handle.read(target, filled, target.byteLength - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Reads a span into memory of its own. @throws {AshlarError} CHUNK_CORRUPT if the file ends before it. */
export async function readExactly(
  handle: FileHandle,
  chunkId: Digest,
  span: { start: number; end: number },
): Promise<Uint8Array> {
  // Not from Node's shared pool: the result is the caller's to keep.
  const target = new Uint8Array(Buffer.allocUnsafeSlow(span.end - span.start).buffer);
  const filled = await readFully(handle, target, span.start);
  if (filled < target.byteLength) throw corruptChunk(chunkId, "the file is shorter than it was");
  return target;
}

/** Reads and checks only the footer. @returns what is wrong with the file, or its payload size. */
export async function probeChunk(
  handle: FileHandle,
  chunkId: Digest,
  fileBytes: number,
): Promise<{ readonly payloadBytes: number } | { readonly problem: string }> {
  const payloadBytes = payloadBytesOf(fileBytes);
  if (payloadBytes === undefined) return { problem: "the file has an impossible length" };
  const footer = new Uint8Array(FOOTER_BYTES);
  const filled = await readFully(handle, footer, fileBytes - FOOTER_BYTES);
  const problem = checkFooter(chunkId, payloadBytes, footer.subarray(0, filled));
  return problem === undefined ? { payloadBytes } : { problem };
}

/** Reads the blocks that cover `window`, checking each piece while the next one is being read. */
async function readWindow(
  handle: FileHandle,
  chunk: { readonly chunkId: Digest; readonly trailer: Promise<Uint8Array>; readonly payloadBytes: number },
  window: {
    readonly start: number;
    readonly end: number;
    readonly signal: AbortSignal | undefined;
    /** Told how far into the chunk the bytes are read and checked. */
    readonly onChecked: (position: number) => void;
  },
): Promise<Uint8Array> {
  const target = new Uint8Array(Buffer.allocUnsafeSlow(window.end - window.start).buffer);
  const readPiece = async (offset: number): Promise<Uint8Array> => {
    const piece = target.subarray(offset, offset + PIECE_BYTES);
    const filled = await readFully(handle, piece, window.start + offset);
    if (filled < piece.byteLength) throw corruptChunk(chunk.chunkId, "the file is shorter than it was");
    return piece;
  };
  let ahead = readPiece(0);
  ahead.catch(() => {});
  const checksums = decodeTrailer(chunk.chunkId, chunk.payloadBytes, await chunk.trailer);
  for (let offset = 0; offset < target.byteLength; offset += PIECE_BYTES) {
    throwIfAborted(window.signal);
    const piece = await ahead;
    const nextOffset = offset + PIECE_BYTES;
    if (nextOffset < target.byteLength) {
      ahead = readPiece(nextOffset);
      ahead.catch(() => {});
    }
    verifyBlocks(chunk.chunkId, piece, { checksums, firstIndex: (window.start + offset) / BLOCK_BYTES });
    window.onChecked(window.start + Math.min(nextOffset, target.byteLength));
  }
  return target;
}

/**
 * Reads a chunk or a range of it. Every block that the range touches is checked before a byte is released.
 *
 * Memory: the blocks that cover the range, once; the result is a view of them.
 *
 * @throws {AshlarError} CHUNK_CORRUPT, INVALID_RANGE.
 */
export async function readChunk(
  { handle, stats }: OpenedFile,
  chunkId: Digest,
  options: GetChunkOptions | undefined,
): Promise<Uint8Array> {
  const fileBytes = Number(stats.size);
  const payloadBytes = payloadBytesOf(fileBytes);
  if (payloadBytes === undefined) throw corruptChunk(chunkId, "the file has an impossible length");
  if (fileBytes <= WHOLE_READ_MAX_BYTES) {
    const file = await readExactly(handle, chunkId, { start: 0, end: fileBytes });
    const checksums = decodeTrailer(chunkId, payloadBytes, file.subarray(payloadBytes));
    const range = resolveRange(payloadBytes, options);
    verifyBlocks(chunkId, file.subarray(0, payloadBytes), { checksums, firstIndex: 0 });
    options?.onProgress?.(range.end - range.start);
    return file.subarray(range.start, range.end);
  }
  const span = { start: payloadBytes, end: payloadBytes + trailerBytes(payloadBytes) };
  const trailer = readExactly(handle, chunkId, span);
  trailer.catch(() => {});
  const range = resolveRange(payloadBytes, options);
  const start = Math.floor(range.start / BLOCK_BYTES) * BLOCK_BYTES;
  const end = Math.min(payloadBytes, Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES);
  const onChecked = (position: number): void => {
    options?.onProgress?.(Math.max(0, Math.min(position, range.end) - range.start));
  };
  const chunk = { chunkId, trailer, payloadBytes };
  const bytes = await readWindow(handle, chunk, { start, end, signal: options?.signal, onChecked });
  return bytes.subarray(range.start - start, range.end - start);
}
