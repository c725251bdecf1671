/**
 * Binary form of a segment: a run of at most SEGMENT_CHUNK_MAX chunk references of one part.
 *
 * A manifest is stored as such segments, so that appending a part writes only its own segments, and a chunk costs some 36 bytes.
 *
 * Format 1: `41 53 47` ("ASG"), `01`, then for each chunk its 32-byte digest and its size in bytes as an unsigned LEB128. The end of the
 * bytes is the end of the list. Never change it: a new format takes a new fourth byte, and this decoder stays.
 */
import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, digestFromBytes } from "../hash/digest.ts";

/** Most chunks of one segment: ~36 KiB, one page of a read. */
export const SEGMENT_CHUNK_MAX = 1024;

const MARKER = [0x41, 0x53, 0x47] as const;
const FORMAT_VERSION = 1;
const HEADER_BYTES = 4;
/** LEB128 of 2^53 - 1 has eight bytes. */
const SIZE_MAX_BYTES = 8;

/** A chunk as a segment names it. */
export interface SegmentChunk {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
}

/**
 * Encodes up to SEGMENT_CHUNK_MAX chunks.
 * @throws {AshlarError} INVALID_ARGUMENT for more chunks, or a size that is not a positive safe integer.
 */
export function encodeSegment(chunks: readonly SegmentChunk[]): Uint8Array {
  if (chunks.length > SEGMENT_CHUNK_MAX) {
    throw new AshlarError("INVALID_ARGUMENT", `a segment has at most ${SEGMENT_CHUNK_MAX} chunks`);
  }
  const bytes = new Uint8Array(HEADER_BYTES + chunks.length * (DIGEST_BYTES + SIZE_MAX_BYTES));
  bytes.set([...MARKER, FORMAT_VERSION]);
  let end = HEADER_BYTES;
  for (const { chunkId, sizeBytes } of chunks) {
    if (chunkId.byteLength !== DIGEST_BYTES || !Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
      throw new AshlarError("INVALID_ARGUMENT", "a chunk reference is a digest and a size of at least one byte");
    }
    bytes.set(chunkId, end);
    end = writeSize(bytes, end + DIGEST_BYTES, sizeBytes);
  }
  return bytes.slice(0, end);
}

function writeSize(bytes: Uint8Array, offset: number, sizeBytes: number): number {
  let rest = sizeBytes;
  let end = offset;
  // Division, not shifts: a shift would cut to 32 bits.
  while (rest >= 0x80) {
    bytes[end++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[end++] = rest;
  return end;
}

/**
 * Decodes a segment; the digests are copies.
 * @throws {AshlarError} STORE_INCOMPATIBLE if the bytes are of another format, or cut off.
 */
export function decodeSegment(bytes: Uint8Array): SegmentChunk[] {
  if (MARKER.some((byte, index) => bytes[index] !== byte) || bytes[3] !== FORMAT_VERSION) {
    throw new AshlarError("STORE_INCOMPATIBLE", "a manifest segment has an unknown format", {
      details: { formatVersion: String(bytes[3]) },
    });
  }
  const chunks: SegmentChunk[] = [];
  let offset = HEADER_BYTES;
  while (offset < bytes.byteLength) {
    const chunkEnd = offset + DIGEST_BYTES;
    if (chunkEnd >= bytes.byteLength) throw cutOff();
    const chunkId = digestFromBytes(bytes.subarray(offset, chunkEnd));
    let sizeBytes = 0;
    let factor = 1;
    let byte = 0x80;
    for (offset = chunkEnd; byte >= 0x80; factor *= 0x80) {
      byte = bytes[offset++] ?? -1;
      if (byte < 0 || factor > 2 ** 49) throw cutOff();
      sizeBytes += (byte & 0x7f) * factor;
    }
    if (sizeBytes < 1 || !Number.isSafeInteger(sizeBytes)) throw cutOff();
    chunks.push({ chunkId, sizeBytes });
  }
  return chunks;
}

function cutOff(): AshlarError {
  return new AshlarError("STORE_INCOMPATIBLE", "a manifest segment is cut off or garbled");
}
