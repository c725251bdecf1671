import type { ByteRange } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";

// After each run of blanks or digits comes something else, so that the expression has only one way to match a header.
const ONE_RANGE = /^bytes *= *(?:(\d+) *)?- *(?:(\d+) *)?$/i;

/**
 * Reads a `Range` header (RFC 9110 §14).
 *
 * @returns `undefined` where the whole body is the answer: no header, another unit, bad syntax, or several ranges (which a server may ignore). A
 *   negative offset counts from the end.
 */
export function parseByteRange(header: string | null): ByteRange | undefined {
  if (header === null || header.length > HTTP_LIMITS.RANGE_MAX_BYTES.value) return undefined;
  const match = ONE_RANGE.exec(header);
  if (match === null) return undefined;
  const [, first, last] = match;
  if (first === undefined) return last === undefined ? undefined : suffixRange(positionOf(last));
  const offset = positionOf(first);
  if (last === undefined) return { offset };
  const end = positionOf(last);
  return end < offset ? undefined : { offset, length: Math.min(end - offset + 1, Number.MAX_SAFE_INTEGER) };
}

/** Positions that are too large for a number become one that is beyond any body. */
function positionOf(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** The last `count` bytes of a body. No body satisfies a count of 0: its range starts beyond any body. */
function suffixRange(count: number): ByteRange {
  return count === 0 ? { offset: Number.MAX_SAFE_INTEGER } : { offset: -count };
}

/** Value of `content-range` for a part of a body: at least one byte, within its size. */
export function contentRange(range: { readonly offset: number; readonly length: number }, sizeBytes: number): string {
  return `bytes ${range.offset}-${range.offset + range.length - 1}/${sizeBytes}`;
}
