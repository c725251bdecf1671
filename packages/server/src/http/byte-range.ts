import type { ByteRange } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";

/** A satisfiable range of a body, within its size. */
export interface ResolvedRange {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

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

/**
 * Resolves a `Range` header against a body's size.
 *
 * @returns `undefined` where the whole body is the answer: no header, another unit, bad syntax, or several ranges; `"unsatisfiable"` for 416.
 */
export function resolveRange(header: string | null, sizeBytes: number): ResolvedRange | "unsatisfiable" | undefined {
  const range = parseByteRange(header);
  if (range === undefined) return undefined;
  const offset = range.offset < 0 ? Math.max(0, sizeBytes + range.offset) : range.offset;
  if (offset >= sizeBytes) return "unsatisfiable";
  return { offset, length: Math.min(range.length ?? sizeBytes, sizeBytes - offset) };
}

/** Value of `content-range` for a part of a body. */
export function contentRange(range: ResolvedRange, sizeBytes: number): string {
  return `bytes ${range.offset}-${range.offset + range.length - 1}/${sizeBytes}`;
}
