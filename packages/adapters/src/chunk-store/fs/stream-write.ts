import type { Digest, IncrementalHash } from "@ashlar/sdk/hash";
import type { BytesProgress } from "@ashlar/sdk/ports";
import type { ChunkWriter } from "./chunk-writer.ts";

/** Bytes per write call: fewer calls, and two of these buffers are all that a stream holds. */
const BUFFER_BYTES = 1024 * 1024;
/** Idle buffers kept for the next stream; fresh ones cost page faults. */
const IDLE_BUFFERS_MAX = 8;

/** Buffers that go round between streams. */
export class BufferPool {
  readonly #idle: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#idle.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(BUFFER_BYTES).buffer);
  }

  give(buffer: Uint8Array): void {
    if (this.#idle.length < IDLE_BUFFERS_MAX) this.#idle.push(buffer);
  }
}

/** Where a stream goes. */
export interface StreamTarget {
  readonly writer: ChunkWriter;
  readonly hash: IncrementalHash;
  readonly pool: BufferPool;
  readonly onProgress?: BytesProgress | undefined;
}

/**
 * Writes a stream to a chunk file while hashing it: one buffer fills and is hashed while the other is being written.
 *
 * Pieces are copied, so the source may reuse them. Memory: two buffers of 1 MiB, whatever the pieces' sizes.
 *
 * @returns the digest of everything that the source gave.
 */
export async function writeStream(source: AsyncIterable<Uint8Array>, target: StreamTarget): Promise<Digest> {
  const { writer, hash, pool, onProgress } = target;
  let filling = pool.take();
  let spare = pool.take();
  let filledBytes = 0;
  let writing = Promise.resolve();
  const flush = async (): Promise<void> => {
    const full = filling.subarray(0, filledBytes);
    hash.update(full);
    await writing;
    onProgress?.(writer.sizeBytes);
    writing = writer.append(full);
    // Its failure is met by the next flush, or at the end.
    writing.catch(() => {});
    [filling, spare] = [spare, filling];
    filledBytes = 0;
  };
  try {
    for await (const piece of source) {
      for (let offset = 0; offset < piece.byteLength; ) {
        const part = piece.subarray(offset, offset + BUFFER_BYTES - filledBytes);
        filling.set(part, filledBytes);
        filledBytes += part.byteLength;
        offset += part.byteLength;
        if (filledBytes === BUFFER_BYTES) await flush();
      }
    }
    if (filledBytes > 0) await flush();
  } finally {
    // The buffers may be given away only when no write reads them any more.
    await writing.catch(() => {});
    pool.give(filling);
    pool.give(spare);
  }
  await writing;
  onProgress?.(writer.sizeBytes);
  return hash.digest();
}
