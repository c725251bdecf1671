import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, DIGEST_BYTES, type Digest, encodeHex } from "@ashlar/sdk/hash";

/**
 * The chunk file, format version 1. What is written here may never change; a new layout is a new version with its own decoder.
 *
 * ```
 * payload                 P bytes at offset 0, so that a file can be served or rescued by any tool
 * block checksums         4 bytes each: CRC-32 (zlib) of payload[64 KiB * n, 64 KiB * (n + 1)); ceil(P / 64 KiB) of them
 * footer, 64 bytes
 *    0  magic             "ashlarCK"
 *    8  formatVersion     u32 = 1
 *   12  blockBytes        u32 = 65,536
 *   16  payloadBytes      u64
 *   24  chunkId           32 bytes: a file under another name is recognised
 *   56  CRC-32 of all block checksum bytes, u32
 *   60  CRC-32 of footer[0, 60), u32
 * ```
 *
 * All integers are little-endian. There is a footer at the end and no header, because the checksums of a streamed chunk are known last. A footer
 * in the last 64 bytes also shows that the file was written to its end.
 */
export const BLOCK_BYTES = 65_536;
export const FOOTER_BYTES = 64;
const CHECKSUM_BYTES = 4;
const FORMAT_VERSION = 1;
const MAGIC = new TextEncoder().encode("ashlarCK");

/** Size of block checksums and footer behind a payload. */
export function trailerBytes(payloadBytes: number): number {
  return Math.ceil(payloadBytes / BLOCK_BYTES) * CHECKSUM_BYTES + FOOTER_BYTES;
}

/** Computes the payload size from the length of the file alone; undefined if no payload gives that length. */
export function payloadBytesOf(fileBytes: number): number | undefined {
  const bodyBytes = fileBytes - FOOTER_BYTES;
  if (bodyBytes < 0) return undefined;
  const blockCount = Math.ceil(bodyBytes / (BLOCK_BYTES + CHECKSUM_BYTES));
  const payloadBytes = bodyBytes - blockCount * CHECKSUM_BYTES;
  return payloadBytes >= 0 && Math.ceil(payloadBytes / BLOCK_BYTES) === blockCount ? payloadBytes : undefined;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Block checksums and footer for a payload whose blocks have `checksums`. */
export function encodeTrailer(chunkId: Digest, payloadBytes: number, checksums: readonly number[]): Uint8Array {
  const checksumsBytes = checksums.length * CHECKSUM_BYTES;
  const trailer = new Uint8Array(checksumsBytes + FOOTER_BYTES);
  const view = viewOf(trailer);
  for (const [index, checksum] of checksums.entries()) view.setUint32(index * CHECKSUM_BYTES, checksum, true);
  const footer = trailer.subarray(checksumsBytes);
  const footerView = viewOf(footer);
  footer.set(MAGIC, 0);
  footerView.setUint32(8, FORMAT_VERSION, true);
  footerView.setUint32(12, BLOCK_BYTES, true);
  footerView.setBigUint64(16, BigInt(payloadBytes), true);
  footer.set(chunkId, 24);
  footerView.setUint32(56, crc32(trailer.subarray(0, checksumsBytes)), true);
  footerView.setUint32(60, crc32(footer.subarray(0, 60)), true);
  return trailer;
}

/** The error for stored bytes that are not what was written. */
export function corruptChunk(chunkId: Digest, problem: string, cause?: unknown): AshlarError {
  return new AshlarError("CHUNK_CORRUPT", `a stored chunk is damaged: ${problem}`, {
    cause,
    details: { chunkId: encodeHex(chunkId), problem },
  });
}

/** Returns why `footer` cannot be the footer of `chunkId` with that payload size, or undefined. */
export function checkFooter(chunkId: Digest, payloadBytes: number, footer: Uint8Array): string | undefined {
  if (footer.byteLength !== FOOTER_BYTES) return "the footer is cut";
  const view = viewOf(footer);
  if (!bytesEqual(footer.subarray(0, MAGIC.byteLength), MAGIC)) return "there is no footer";
  if (view.getUint32(60, true) !== crc32(footer.subarray(0, 60))) return "the footer's checksum differs";
  if (view.getUint32(8, true) !== FORMAT_VERSION) return "the format version is unknown";
  if (view.getUint32(12, true) !== BLOCK_BYTES) return "the block size is unknown";
  if (view.getBigUint64(16, true) !== BigInt(payloadBytes)) return "the size differs from the footer's";
  if (!bytesEqual(footer.subarray(24, 24 + DIGEST_BYTES), chunkId)) return "the file holds another chunk";
  return undefined;
}

/** Decodes and checks a whole trailer. @returns the block checksums. @throws {AshlarError} CHUNK_CORRUPT */
export function decodeTrailer(chunkId: Digest, payloadBytes: number, trailer: Uint8Array): readonly number[] {
  const checksumsBytes = Math.max(0, trailer.byteLength - FOOTER_BYTES);
  const footer = trailer.subarray(checksumsBytes);
  const problem = checkFooter(chunkId, payloadBytes, footer);
  if (problem !== undefined) throw corruptChunk(chunkId, problem);
  const words = trailer.subarray(0, checksumsBytes);
  if (viewOf(footer).getUint32(56, true) !== crc32(words))
    throw corruptChunk(chunkId, "the block checksums are damaged");
  const view = viewOf(words);
  return Array.from({ length: checksumsBytes / CHECKSUM_BYTES }, (_, index) =>
    view.getUint32(index * CHECKSUM_BYTES, true),
  );
}

/** Checks blocks from block `firstIndex` on; the last one may be the short block at the payload's end. @throws {AshlarError} CHUNK_CORRUPT */
export function verifyBlocks(
  chunkId: Digest,
  bytes: Uint8Array,
  expected: { readonly checksums: readonly number[]; readonly firstIndex: number },
): void {
  for (let offset = 0, index = expected.firstIndex; offset < bytes.byteLength; offset += BLOCK_BYTES, index++) {
    if (crc32(bytes.subarray(offset, offset + BLOCK_BYTES)) !== expected.checksums[index]) {
      throw corruptChunk(chunkId, `block ${index} has another checksum`);
    }
  }
}

/**
 * Writes one chunk file from its first byte to its footer, with block checksums taken on the way.
 *
 * Calls must not overlap: the caller waits until the promise of one `append` settles, and may prepare the next bytes meanwhile.
 */
export class ChunkFileWriter {
  readonly #handle: FileHandle;
  readonly #checksums: number[] = [];
  #checksum = 0;
  #sizeBytes = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Payload bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Checksums of the blocks; complete once `finish` was called. */
  get checksums(): readonly number[] {
    return this.#checksums;
  }

  /** Writes `bytes`, which are borrowed until the promise settles; they are checksummed while the write is under way. */
  append(bytes: Uint8Array): Promise<void> {
    const written = this.#write(bytes, this.#sizeBytes);
    this.#addChecksums(bytes);
    return written;
  }

  /** Writes the trailer; the file is then complete, not yet synced. */
  async finish(chunkId: Digest): Promise<void> {
    if (this.#sizeBytes % BLOCK_BYTES !== 0) this.#checksums.push(this.#checksum);
    await this.#write(encodeTrailer(chunkId, this.#sizeBytes, this.#checksums), this.#sizeBytes);
  }

  #addChecksums(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.byteLength; ) {
      const missing = BLOCK_BYTES - (this.#sizeBytes % BLOCK_BYTES);
      const block = bytes.subarray(offset, offset + missing);
      this.#checksum = crc32(block, this.#checksum);
      this.#sizeBytes += block.byteLength;
      offset += block.byteLength;
      if (this.#sizeBytes % BLOCK_BYTES === 0) {
        this.#checksums.push(this.#checksum);
        this.#checksum = 0;
      }
    }
  }

  // A disk that fills up takes a part of the bytes first and fails only on the next call.
  async #write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.byteLength - done, position + done);
      done += bytesWritten;
    }
  }
}
