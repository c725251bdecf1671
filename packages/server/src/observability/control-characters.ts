/**
 * Keys, metadata and messages come from others, and a terminal obeys what it is shown: colours, titles, the clipboard, a line drawn over another.
 * This is the one list of what must not reach a terminal, a log or a line unchanged: controls (C0, DEL, C1), line separators, what changes the
 * direction of text, what is invisible, and halves of surrogate pairs.
 */
const CONTROL_CHARACTERS =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text of others within a line that people read: each control character as `\n`, `\x1b` or `\u202e`, which a shell's `$'…'` takes too. */
export function visibleText(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => SHORT[character] ?? escapeOf(character));
}

/** The same for text of our own, whose line breaks stay. */
export function visibleLines(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) =>
    character === "\n" ? character : (SHORT[character] ?? escapeOf(character)),
  );
}

/** JSON with none of them: still valid and equal, because they can occur only in strings. Line ends stay. */
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
