/**
 * Whether a list of entity tags (`if-match`, `if-none-match`; RFC 9110 §13.1) names this one.
 *
 * @param header the header's value, `*` included; `null` (no header) matches nothing.
 * @param etag without quotes.
 * @param options.weak compare weakly, as if-none-match does: `W/"x"` matches `"x"`.
 */
export function namesEntityTag(header: string | null, etag: string, options: { readonly weak: boolean }): boolean {
  if (header === null) return false;
  if (header.trim() === "*") return true;
  for (const [, weakMark, tag] of header.matchAll(/(W\/)?"([^"]*)"/g)) {
    if (tag === etag && (options.weak || weakMark === undefined)) return true;
  }
  return false;
}
