/** How every chunk store reads the range and the cursor of a request. */
import { AshlarError } from "@ashlar/sdk/errors";
import { isDigestHex } from "@ashlar/sdk/hash";

/** Half-open byte range within a chunk. */
interface ResolvedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a requested range to a chunk of `sizeBytes`.
 *
 * @throws {AshlarError} INVALID_RANGE if it starts at or past the end; offset 0 is always inside.
 */
export function resolveRange(
  sizeBytes: number,
  request: { readonly offset?: number | undefined; readonly length?: number | undefined } | undefined,
): ResolvedRange {
  const start = request?.offset ?? 0;
  if (start > 0 && start >= sizeBytes) {
    throw new AshlarError("INVALID_RANGE", `offset ${start} is not inside a chunk of ${sizeBytes} bytes`, {
      details: { offset: String(start), sizeBytes: String(sizeBytes) },
    });
  }
  const end = request?.length === undefined ? sizeBytes : Math.min(sizeBytes, start + request.length);
  return { start, end };
}

/** The cursor after a page is the last chunk id in hex; decoding gives it back. @throws {AshlarError} INVALID_ARGUMENT */
export function decodeChunkCursor(cursor: string | undefined): string {
  if (cursor === undefined) return "";
  if (isDigestHex(cursor)) return cursor;
  throw new AshlarError("INVALID_ARGUMENT", "this cursor was not given out by a chunk store");
}
