import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { ChunkCutter, Chunker } from "./chunker.ts";

/**
 * Cuts a body of known length in `count` near-equal chunks, for example six for six nodes. The first `total % count` chunks are one
 * byte longer than the rest. A body shorter than `count` bytes gives one chunk per byte, an empty one none.
 *
 * Its memory is the chunk size, so it suits bodies up to `count` × 64 MiB; `fixed` has no such limit.
 *
 * @param count 1 to 1,000,000 (PART_NUMBER_MAX).
 * @throws {AshlarError} INVALID_ARGUMENT for another count; from `start`, if the length is unknown or a chunk would be over 64 MiB
 *   (CHUNK_MAX_BYTES_DEFAULT), with the smallest count that is enough in the message and in `details.countMin`.
 */
export function byCount(count: number): Chunker {
  const max = LIMITS.PART_NUMBER_MAX;
  if (!Number.isSafeInteger(count) || count < 1 || count > max) {
    throw new AshlarError("INVALID_ARGUMENT", `a chunk count is a whole number from 1 to ${max}`, {
      details: { count: String(count) },
    });
  }
  return Object.freeze({
    name: `byCount(${count})`,
    start: (totalBytes: number | undefined) => startByCount(count, totalBytes),
  });
}

function startByCount(count: number, totalBytes: number | undefined): ChunkCutter {
  if (totalBytes === undefined)
    throw new AshlarError("INVALID_ARGUMENT", "cutting by count needs a body of known length; use fixed() for streams");
  if (!Number.isSafeInteger(totalBytes) || totalBytes < 0) {
    throw new AshlarError("INVALID_ARGUMENT", "a length is a whole number of bytes", {
      details: { totalBytes: String(totalBytes) },
    });
  }
  const chunkMaxBytes = LIMITS.CHUNK_MAX_BYTES_DEFAULT;
  const shortBytes = Math.floor(totalBytes / count);
  const longCount = totalBytes % count;
  const maxBytes = Math.max(1, shortBytes + (longCount > 0 ? 1 : 0));
  if (maxBytes > chunkMaxBytes) {
    const countMin = String(Math.ceil(totalBytes / chunkMaxBytes));
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `chunks may have ${chunkMaxBytes} bytes: cut ${totalBytes} bytes in ${countMin} or more`,
      { details: { countMin } },
    );
  }
  let index = 0;
  return {
    maxBytes,
    cut(buffered: Uint8Array, ended: boolean): number | undefined {
      // A body longer than declared goes on in chunks of the short size: the code that compares the lengths reports it.
      const wanted = Math.max(1, index < longCount ? shortBytes + 1 : shortBytes);
      if (buffered.byteLength < wanted && !ended) return undefined;
      index++;
      return Math.min(wanted, buffered.byteLength);
    },
  };
}
