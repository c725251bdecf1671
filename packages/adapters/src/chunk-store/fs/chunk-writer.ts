import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { Digest } from "@ashlar/sdk/hash";
import { BLOCK_BYTES, encodeTrailer } from "./chunk-format.ts";

/**
 * Writes one chunk file from its first byte to its footer, with block checksums taken on the way.
 *
 * Calls follow one another: the promise of one `append` settles before the next call, though the caller may prepare bytes meanwhile.
 */
export class ChunkWriter {
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
