/**
 * Characters that are escaped in names: the same list as in the command line (`visibleText`). A change of direction makes `gpj.exe` look like
 * `exe.jpg`, and invisible characters make two names look alike. Letters of scripts that run from right to left stay.
 */
const CONTROL_CHARACTERS =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]/gu;
/** Invisible characters at either end: such a name looks like another one, or empty. Those that belong to the sign before, as in emoji, stay. */
const UNSEEN_ENDS = /^[\p{Zs}\p{Default_Ignorable_Code_Point}\u2800]+|[\p{Zs}\u2800]+$/gu;

/** A name or key as people see it: `\u202egpj.exe`, `\x20`. Escaping it a second time changes nothing. */
export function visibleName(name: string): string {
  if (name === "") return "(no name)";
  const controls = name.replace(CONTROL_CHARACTERS, escapeOf);
  return controls.replace(UNSEEN_ENDS, (run) => [...run].map(escapeOf).join(""));
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0x7f) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
}
