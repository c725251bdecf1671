import { AshlarError } from "../errors/index.ts";
import type { ByteRange } from "../ports/index.ts";

/** A range within known bounds. */
export interface ResolvedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Fits a range into an object.
 *
 * @param range absent: all bytes. A negative offset counts from the end and is cut at the start. An end past the object is cut.
 * @throws {AshlarError} INVALID_RANGE if it starts at or past the end of a non-empty object; INVALID_ARGUMENT for values that are no byte counts.
 */
export function resolveByteRange(range: ByteRange | undefined, sizeBytes: number): ResolvedRange {
  if (range === undefined) return { offset: 0, length: sizeBytes };
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || (length !== undefined && (!Number.isSafeInteger(length) || length < 0))) {
    throw new AshlarError("INVALID_ARGUMENT", "a range has a whole offset and a length of 0 or more, in bytes");
  }
  const start = offset < 0 ? Math.max(0, sizeBytes + offset) : offset;
  if (start > sizeBytes || (start === sizeBytes && sizeBytes > 0 && length !== 0)) {
    throw new AshlarError("INVALID_RANGE", `the range starts at ${start}, the object has ${sizeBytes} bytes`, {
      details: { sizeBytes: String(sizeBytes) },
    });
  }
  return { offset: start, length: Math.min(length ?? Number.POSITIVE_INFINITY, sizeBytes - start) };
}
