const QUOTE = '"';
const BACKSLASH = "\\";

/** Where a text of JSON ends: at its closing quote, or after the last character. */
export function endOfText(json: string, start: number): number {
  for (let from = start; ; ) {
    const quote = json.indexOf(QUOTE, from);
    if (quote < 0) return json.length;
    let backslashes = 0;
    while (quote - 1 - backslashes >= start && json[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** What ends a number, `true`, `false` or `null`: quote, comma, colon and brackets. */
const WORD_ENDS: ReadonlySet<number> = new Set([0x22, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d]);
const SPACE = 0x20;

/** Where a number, `true`, `false` or `null` ends, looked for in at most `lengthMax` characters. */
export function endOfWord(json: string, start: number, lengthMax: number): number {
  let end = start + 1;
  for (const last = Math.min(json.length, start + lengthMax); end < last; end++) {
    const code = json.charCodeAt(end);
    if (code <= SPACE || WORD_ENDS.has(code)) break;
  }
  return end;
}

/** Names of fields are shorter, even with each character escaped as `\u0000`. */
const NAME_MAX = 256;

/** The name of a member; empty if it is too long to be a known one. */
export function nameOf(json: string, start: number, end: number): string {
  if (end - start > NAME_MAX) return "";
  const name = json.slice(start, end);
  if (!name.includes(BACKSLASH)) return name;
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return ""; // no JSON: the parser says so
  }
}
