import { AshlarError } from "@ashlar/sdk/errors";
import { MIB } from "@ashlar/sdk/limits";

/** The most that is allocated for a declared size; more only as bytes arrive. */
const TRUSTED_BYTES = 8 * MIB;

/**
 * Collects a chunk in memory, for stores that cannot write streams.
 *
 * @param options.sizeBytes declared size; absent: anything up to `chunkMaxBytes`.
 * @throws {AshlarError} OBJECT_TOO_LARGE for more bytes than declared or allowed, CHUNK_DIGEST_MISMATCH for fewer than declared, INVALID_ARGUMENT for
 *   none, and what the source throws. Memory: up to twice the chunk while it grows past 8 MiB.
 */
export async function gatherChunk(
  source: AsyncIterable<Uint8Array>,
  options: { readonly sizeBytes?: number | undefined; readonly chunkMaxBytes: number },
): Promise<Uint8Array> {
  const limitBytes = options.sizeBytes ?? options.chunkMaxBytes;
  let buffer = new Uint8Array(Math.min(options.sizeBytes ?? MIB, TRUSTED_BYTES));
  let length = 0;
  for await (const piece of source) {
    const end = length + piece.byteLength;
    if (end > limitBytes) throw new AshlarError("OBJECT_TOO_LARGE", `the chunk has more than ${limitBytes} bytes`);
    if (end > buffer.byteLength) {
      const larger = new Uint8Array(Math.min(Math.max(end, buffer.byteLength * 2), limitBytes));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    buffer.set(piece, length);
    length = end;
  }
  if (length === 0) throw emptyChunk();
  if (options.sizeBytes !== undefined && length < options.sizeBytes) {
    const message = `the chunk ended after ${length} of ${options.sizeBytes} bytes`;
    throw new AshlarError("CHUNK_DIGEST_MISMATCH", message);
  }
  return length === buffer.byteLength ? buffer : buffer.subarray(0, length);
}

/** The error of a chunk without bytes. */
export function emptyChunk(): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", "a chunk has at least one byte");
}
