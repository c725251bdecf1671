const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where a text of JSON ends: at its closing quote, or behind the last byte. */
export function endOfText(bytes: Uint8Array, start: number): number {
  for (let from = start; ; ) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote < 0) return bytes.length;
    let backslashes = 0;
    while (quote - 1 - backslashes >= start && bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** What ends a number, `true`, `false` or `null`: quote, comma, colon and brackets. */
const WORD_ENDS: ReadonlySet<number> = new Set([QUOTE, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d]);
const SPACE = 0x20;

/** Where a number, `true`, `false` or `null` ends. */
export function endOfWord(bytes: Uint8Array, start: number): number {
  let end = start + 1;
  for (; end < bytes.length; end++) {
    const byte = bytes[end] as number;
    if (byte <= SPACE || WORD_ENDS.has(byte)) break;
  }
  return end;
}

/** Names of fields are shorter, each character escaped as `\u0000`. */
const NAME_MAX_BYTES = 256;

/** The name of a member, empty where it is too long to be one that anybody knows. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > NAME_MAX_BYTES) return "";
  const name = String.fromCharCode(...bytes.subarray(start, end));
  if (!name.includes("\\")) return name;
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return ""; // no JSON: the parser says so
  }
}
