/** A satisfiable range of a body, within its size. */
export interface ResolvedRange {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

const SINGLE_RANGE = /^bytes *= *(\d*) *- *(\d*) *$/i;

/**
 * Resolves a `Range` header against a body's size (RFC 9110 §14).
 *
 * @returns `undefined` where the whole body is the answer: no header, another unit, bad syntax, or several ranges (which a server may
 *   ignore); `"unsatisfiable"` for 416.
 */
export function resolveRange(header: string | null, sizeBytes: number): ResolvedRange | "unsatisfiable" | undefined {
  const match = header === null ? null : SINGLE_RANGE.exec(header);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const suffixBytes = Math.min(Number(last), sizeBytes);
    return suffixBytes === 0 ? "unsatisfiable" : { offset: sizeBytes - suffixBytes, length: suffixBytes };
  }
  const offset = Number(first);
  if (last !== "" && Number(last) < offset) return undefined;
  if (offset >= sizeBytes) return "unsatisfiable";
  const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return { offset, length: end - offset };
}

/** Value of `content-range` for a part of a body. */
export function contentRange(range: ResolvedRange, sizeBytes: number): string {
  return `bytes ${range.offset}-${range.offset + range.length - 1}/${sizeBytes}`;
}
