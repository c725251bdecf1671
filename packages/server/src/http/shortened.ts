import { HTTP_LIMITS } from "./bounds/http-limits.ts";

/** Cuts a text that may quote a client to `max` characters, by default ERROR_TEXT_MAX, and adds `…`. Well-formed text stays well-formed. */
export function shortened(text: string, max: number = HTTP_LIMITS.ERROR_TEXT_MAX.value): string {
  if (text.length <= max) return text;
  const cut = text.slice(0, max);
  const last = cut.charCodeAt(cut.length - 1);
  // Half of a surrogate pair is no text.
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return `${isHalf ? cut.slice(0, -1) : cut}…`;
}
