import { visibleText } from "../observability/control-characters.ts";

/** A text as one word of a POSIX shell, for commands that are shown to be pasted. Quoted only where it must be; control characters in bash's way. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (visibleText(text) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${visibleText(text.replace(/[\\']/g, "\\$&"))}'`;
}
