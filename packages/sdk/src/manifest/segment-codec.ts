/**
 * Binary form of a segment: a run of at most SEGMENT_CHUNK_MAX chunk references of one part.
 *
 * A manifest is stored as such segments, so that appending a part writes only its own segments, and a chunk costs some 36 bytes.
 *
 * Format 4: `41 53 47` ("ASG"), `04`, the CRC-32 of its place (`<part id>:<offset in the part>` as UTF-8), then for each chunk its 32-byte digest and
 * its size in bytes as an unsigned LEB128, then the CRC-32 of all bytes before it. Both CRCs have 4 bytes, little-endian. Format 2 is the same with
 * `02` and without the place; format 1, of release 0.1, has `01` and no CRC-32 either; both are still read.
 * Never change them: a new format takes a new fourth byte, ends in the CRC-32 of all before it, and these decoders stay. There is no format 3: one
 * flipped bit would make it format 1, which has no checksum.
 */
import { AshlarError } from "../errors/index.ts";
import { crc32 } from "../hash/crc32.ts";
import { DIGEST_BYTES, type Digest, digestFromBytes } from "../hash/digest.ts";

/** Most chunks of one segment: ~36 KiB, one page of a read. */
export const SEGMENT_CHUNK_MAX = 1024;

const MARKER = [0x41, 0x53, 0x47] as const;
const FORMAT_VERSION = 4;
const PLACELESS_FORMAT_VERSION = 2;
const UNCHECKED_FORMAT_VERSION = 1;
const CHECKSUM_BYTES = 4;
const HEADER_BYTES = 4;
/** LEB128 of 2^53 - 1 has eight bytes. */
const SIZE_MAX_BYTES = 8;

/** A chunk as a segment names it. */
export interface SegmentChunk {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
}

/** Where a segment belongs, so that the segment of another part is never taken for it. */
export interface SegmentPlace {
  readonly partId: string;
  /** Offset of its first byte in the part. */
  readonly startOffset: number;
}

const placeChecksum = ({ partId, startOffset }: SegmentPlace): number =>
  crc32(new TextEncoder().encode(`${partId}:${startOffset}`));

/**
 * Encodes up to SEGMENT_CHUNK_MAX chunks.
 * @throws {AshlarError} INVALID_ARGUMENT for more chunks, or a size that is not a positive safe integer.
 */
export function encodeSegment(chunks: readonly SegmentChunk[], place: SegmentPlace): Uint8Array {
  if (chunks.length > SEGMENT_CHUNK_MAX) {
    throw new AshlarError("INVALID_ARGUMENT", `a segment has at most ${SEGMENT_CHUNK_MAX} chunks`);
  }
  let end = HEADER_BYTES + CHECKSUM_BYTES;
  const bytes = new Uint8Array(end + chunks.length * (DIGEST_BYTES + SIZE_MAX_BYTES) + CHECKSUM_BYTES);
  bytes.set([...MARKER, FORMAT_VERSION]);
  viewOf(bytes).setUint32(HEADER_BYTES, placeChecksum(place), true);
  for (const { chunkId, sizeBytes } of chunks) {
    if (chunkId.byteLength !== DIGEST_BYTES || !Number.isSafeInteger(sizeBytes) || sizeBytes < 1) {
      throw new AshlarError("INVALID_ARGUMENT", "a chunk reference is a digest and a size of at least one byte");
    }
    bytes.set(chunkId, end);
    end = writeSize(bytes, end + DIGEST_BYTES, sizeBytes);
  }
  viewOf(bytes).setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes.slice(0, end + CHECKSUM_BYTES);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

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
 *
 * @param place where it was found; without it, only the bytes themselves are checked.
 * @throws {AshlarError} METADATA_CORRUPT if the bytes are not what was written, or not there; STORE_INCOMPATIBLE for another format.
 */
export function decodeSegment(stored: Uint8Array, place?: SegmentPlace): SegmentChunk[] {
  const bytes = checkedSegment(stored, place);
  const chunks: SegmentChunk[] = [];
  let offset = 0;
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

/** The bytes of the chunks, after a check of the checksums around them. */
function checkedSegment(bytes: Uint8Array, place: SegmentPlace | undefined): Uint8Array {
  if (bytes.byteLength < HEADER_BYTES) throw cutOff();
  const formatVersion = bytes[3];
  const isMarked = MARKER.every((byte, index) => bytes[index] === byte);
  if (isMarked && formatVersion === UNCHECKED_FORMAT_VERSION) return bytes.subarray(HEADER_BYTES);
  const end = bytes.byteLength - CHECKSUM_BYTES;
  // The checksum comes first: a format that is unknown because one bit flipped is damage, not a newer release.
  const isSound = end >= HEADER_BYTES && viewOf(bytes).getUint32(end, true) === crc32(bytes.subarray(0, end));
  if (!isMarked || !isSound) throw cutOff();
  if (formatVersion === PLACELESS_FORMAT_VERSION) return bytes.subarray(HEADER_BYTES, end);
  if (formatVersion === FORMAT_VERSION) {
    const start = HEADER_BYTES + CHECKSUM_BYTES;
    if (end < start) throw cutOff();
    if (place !== undefined && viewOf(bytes).getUint32(HEADER_BYTES, true) !== placeChecksum(place)) throw misplaced();
    return bytes.subarray(start, end);
  }
  throw new AshlarError("STORE_INCOMPATIBLE", "a manifest segment has an unknown format", {
    details: { formatVersion: String(formatVersion) },
  });
}

function misplaced(): AshlarError {
  return new AshlarError("METADATA_CORRUPT", "a manifest segment is not what was written: it belongs to another place");
}

function cutOff(): AshlarError {
  return new AshlarError("METADATA_CORRUPT", "a manifest segment is not what was written: it is cut off or garbled");
}
