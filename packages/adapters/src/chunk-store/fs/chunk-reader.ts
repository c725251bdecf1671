import { type BigIntStats, constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import type { Digest } from "@ashlar/sdk/hash";
import type { ChunkSpan, GetChunkOptions } from "@ashlar/sdk/ports";
import { resolveRange } from "../../internal/chunk-request.ts";
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
import type { ChunkPlace } from "./chunk-names.ts";
import { type FileSystem, isAbsent, isNoFile } from "./file-system.ts";

/** Bytes per read call. Checking one piece takes about a millisecond; the event loop is blocked no longer than that. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Files up to this size are read in one call: a second call costs more than the bytes. */
const WHOLE_READ_MAX_BYTES = 4 * BLOCK_BYTES;
/** Bytes per read call of a comparison or a check, a multiple of the block size. */
export const COMPARED_BYTES: number = 16 * BLOCK_BYTES;

/** An open file of a chunk. */
export interface OpenedFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/** Follows no link and waits for no pipe. A system without such a flag gets none. */
const AS_A_FILE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const NO_FILE_THERE = "what lies under its name is no file";

/**
 * Opens a chunk's file, or answers undefined where it does not exist.
 *
 * @throws {AshlarError} CHUNK_CORRUPT if something other than a file lies there; every other failure as it is.
 */
export async function openIfPresent(
  { fileSystem }: { readonly fileSystem: FileSystem },
  { path, chunkId }: Pick<ChunkPlace, "path" | "chunkId">,
  access: "read" | "claim",
): Promise<OpenedFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await fileSystem.open(path, (access === "read" ? constants.O_RDONLY : constants.O_RDWR) | AS_A_FILE);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (isNoFile(error)) throw corruptChunk(chunkId, NO_FILE_THERE, error);
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw corruptChunk(chunkId, NO_FILE_THERE);
    return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Reads and checks only the footer. @returns what is wrong with the file, or its payload size. */
export async function probeChunk(
  { handle, stats }: OpenedFile,
  chunkId: Digest,
): Promise<{ readonly payloadBytes: number } | { readonly problem: string }> {
  const fileBytes = Number(stats.size);
  const payloadBytes = payloadBytesOf(fileBytes);
  if (payloadBytes === undefined) return { problem: "the file has an impossible length" };
  const footer = new Uint8Array(FOOTER_BYTES);
  const filled = await readFully(handle, footer, fileBytes - FOOTER_BYTES);
  const problem = checkFooter(chunkId, payloadBytes, footer.subarray(0, filled));
  return problem === undefined ? { payloadBytes } : { problem };
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
    options?.onSize?.(payloadBytes);
    options?.onProgress?.(range.end - range.start);
    return file.subarray(range.start, range.end);
  }
  const trailer = readTrailer(handle, chunkId, payloadBytes);
  trailer.catch(() => {});
  const range = resolveRange(payloadBytes, options);
  const start = Math.floor(range.start / BLOCK_BYTES) * BLOCK_BYTES;
  const end = Math.min(payloadBytes, Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES);
  const onChecked = (position: number): void => {
    options?.onProgress?.(Math.max(0, Math.min(position, range.end) - range.start));
  };
  const chunk = { chunkId, trailer, payloadBytes };
  const bytes = await readWindow(handle, chunk, { start, end, signal: options?.signal, onChecked });
  options?.onSize?.(payloadBytes);
  return bytes.subarray(range.start - start, range.end - start);
}

/** Reads the blocks that cover `window`, checking each piece while the next one is being read. */
async function readWindow(
  handle: FileHandle,
  chunk: { readonly chunkId: Digest; readonly trailer: Promise<Uint8Array>; readonly payloadBytes: number },
  window: {
    readonly start: number;
    readonly end: number;
    readonly signal: AbortSignal | undefined;
    /** Called with the position in the chunk up to which the bytes are read and checked. */
    readonly onChecked: (position: number) => void;
  },
): Promise<Uint8Array> {
  const target = new Uint8Array(Buffer.allocUnsafeSlow(window.end - window.start).buffer);
  const readPiece = async (offset: number): Promise<Uint8Array> => {
    const piece = target.subarray(offset, offset + PIECE_BYTES);
    await fill(handle, chunk.chunkId, { target: piece, position: window.start + offset });
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

/** The checked trailer of a chunk's file: what reading parts of the file needs. */
export interface ChunkTrailer {
  readonly payloadBytes: number;
  readonly checksums: readonly number[];
}

/** Reads and checks the trailer. @throws {AshlarError} CHUNK_CORRUPT. */
export async function openTrailer({ handle, stats }: OpenedFile, chunkId: Digest): Promise<ChunkTrailer> {
  const payloadBytes = payloadBytesOf(Number(stats.size));
  if (payloadBytes === undefined) throw corruptChunk(chunkId, "the file has an impossible length");
  const trailer = await readTrailer(handle, chunkId, payloadBytes);
  return { payloadBytes, checksums: decodeTrailer(chunkId, payloadBytes, trailer) };
}

/**
 * Reads the blocks that cover the start of the span into `target`, as many as there is room for, and checks each of them.
 *
 * @returns a view of `target`, at least one byte.
 * @throws {AshlarError} CHUNK_CORRUPT, INVALID_ARGUMENT if not even the first block has room.
 */
export async function readBlocks(
  { handle }: Pick<OpenedFile, "handle">,
  chunk: ChunkTrailer & { readonly chunkId: Digest },
  { offset, length, target }: ChunkSpan & { readonly target: Uint8Array },
): Promise<Uint8Array> {
  const { chunkId, payloadBytes, checksums } = chunk;
  const firstIndex = Math.floor(offset / BLOCK_BYTES);
  const start = firstIndex * BLOCK_BYTES;
  let end = Math.min(payloadBytes, Math.ceil((offset + length) / BLOCK_BYTES) * BLOCK_BYTES);
  if (end - start > target.byteLength) end = start + Math.floor(target.byteLength / BLOCK_BYTES) * BLOCK_BYTES;
  if (end <= offset) throw new AshlarError("INVALID_ARGUMENT", "the target has no room for the first block");
  const blocks = target.subarray(0, end - start);
  await fill(handle, chunkId, { target: blocks, position: start });
  verifyBlocks(chunkId, blocks, { checksums, firstIndex });
  return blocks.subarray(offset - start, Math.min(end, offset + length) - start);
}

/** What a put brings: its bytes, or the block checksums that were taken while the bytes were written to a temporary file. */
export type IncomingContent =
  | { readonly sizeBytes: number; readonly bytes: Uint8Array }
  | { readonly sizeBytes: number; readonly checksums: readonly number[] };

/**
 * Compares an open file with what a put brings, down to the last byte.
 *
 * Memory: one buffer of 1 MiB.
 *
 * @throws {AshlarError} CHUNK_CORRUPT if they differ.
 */
export async function compareChunk(
  { handle, payloadBytes }: { readonly handle: FileHandle; readonly payloadBytes: number },
  chunkId: Digest,
  incoming: IncomingContent & { readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { sizeBytes, signal } = incoming;
  if (payloadBytes !== sizeBytes) throw corruptChunk(chunkId, "the size differs from the chunk's");
  const checksums = decodeTrailer(chunkId, sizeBytes, await readTrailer(handle, chunkId, sizeBytes));
  if ("checksums" in incoming && incoming.checksums.some((checksum, index) => checksum !== checksums[index]))
    throw corruptChunk(chunkId, "the block checksums differ from those of the bytes put");
  const buffer = new Uint8Array(Math.min(COMPARED_BYTES, sizeBytes));
  for (let offset = 0; offset < sizeBytes; offset += COMPARED_BYTES) {
    throwIfAborted(signal);
    const piece = buffer.subarray(0, sizeBytes - offset);
    await fill(handle, chunkId, { target: piece, position: offset });
    verifyBlocks(chunkId, piece, { checksums, firstIndex: offset / BLOCK_BYTES });
    if ("bytes" in incoming && Buffer.compare(piece, incoming.bytes.subarray(offset, offset + piece.byteLength)) !== 0)
      throw corruptChunk(chunkId, "the bytes differ from those put");
  }
}

async function readTrailer(handle: FileHandle, chunkId: Digest, payloadBytes: number): Promise<Uint8Array> {
  return await readExactly(handle, chunkId, { start: payloadBytes, end: payloadBytes + trailerBytes(payloadBytes) });
}

/** Reads a span into memory of its own. @throws {AshlarError} CHUNK_CORRUPT if the file ends before the span does. */
async function readExactly(
  handle: FileHandle,
  chunkId: Digest,
  span: { readonly start: number; readonly end: number },
): Promise<Uint8Array> {
  // Not from Node's shared pool: the caller may keep the result.
  const target = new Uint8Array(Buffer.allocUnsafeSlow(span.end - span.start).buffer);
  await fill(handle, chunkId, { target, position: span.start });
  return target;
}

/** Fills a whole buffer. @throws {AshlarError} CHUNK_CORRUPT if the file ends before that. */
export async function fill(
  handle: FileHandle,
  chunkId: Digest,
  { target, position }: { readonly target: Uint8Array; readonly position: number },
): Promise<void> {
  const filled = await readFully(handle, target, position);
  if (filled < target.byteLength) throw corruptChunk(chunkId, "the file is shorter than it was");
}

/** Fills `target` from `position`; returns the count of bytes read, which is smaller only at the end of the file. */
async function readFully(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < target.byteLength) {
    const { bytesRead } = await handle.read(target, filled, target.byteLength - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
