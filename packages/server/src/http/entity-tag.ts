/** One entity tag as a header names it. */
export interface EntityTag {
  /** Without quotes. */
  readonly tag: string;
  readonly weak: boolean;
}

const TAG = /^(W\/)?"([^"]*)"/;
const SEPARATOR = /^[ \t]*(?:,[ \t]*)+/;

/**
 * Reads the value of `if-match` or `if-none-match` (RFC 9110 §13.1).
 *
 * @returns the tags in order, `"*"` for the star, `undefined` for what is neither.
 */
export function parseEntityTags(header: string): readonly EntityTag[] | "*" | undefined {
  let rest = header.trim().replace(/^(?:,[ \t]*)+/, "");
  if (rest === "*") return "*";
  const tags: EntityTag[] = [];
  for (;;) {
    const match = TAG.exec(rest);
    if (match === null) return undefined;
    tags.push({ tag: match[2] ?? "", weak: match[1] !== undefined });
    rest = rest.slice(match[0].length);
    if (rest === "") return tags;
    const separator = SEPARATOR.exec(rest);
    if (separator === null) return undefined;
    rest = rest.slice(separator[0].length);
    if (rest === "") return tags;
  }
}

/**
 * Whether the value of `if-match` or `if-none-match` names this tag.
 *
 * @param header the header's value, `*` included; `null` (no header) and bad syntax match nothing.
 * @param etag without quotes.
 * @param options.weak compare weakly, as if-none-match does: `W/"x"` matches `"x"`.
 */
export function namesEntityTag(header: string | null, etag: string, options: { readonly weak: boolean }): boolean {
  const tags = header === null ? undefined : parseEntityTags(header);
  if (tags === "*") return true;
  return tags?.some(({ tag, weak }) => tag === etag && (options.weak || !weak)) ?? false;
}
