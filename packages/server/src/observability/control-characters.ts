/**
 * Keys, metadata and messages are made by others, and a terminal obeys what it is shown: colours, titles, the clipboard, a line drawn over another.
 * One list of what must not reach a terminal, a log or a line as it is: controls (C0, DEL, C1), separators of lines, what changes the direction of
 * text, what cannot be seen at all, and halves of surrogate pairs.
 */
const CONTROL_CHARACTERS =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text of others within a line that people read: each control character as `\n`, `\x1b` or `\u202e`, which a shell's `$'…'` takes too. */
export function visibleText(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => SHORT[character] ?? escapeOf(character));
}

/** The same for text of our own making, whose lines stay lines. */
export function visibleLines(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) =>
    character === "\n" ? character : (SHORT[character] ?? escapeOf(character)),
  );
}

/** JSON that holds none of them either: valid and equal, because they can stand in strings only. A line's end stays. */
export function visibleJson(json: string): string {
  return json.replace(CONTROL_CHARACTERS, (character) => (character === "\n" ? character : unicodeEscape(character)));
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0);
  return code <= 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : unicodeEscape(character);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
