import { HTTP_LIMITS } from "./http-limits.ts";

/** Text of an answer that may quote what a client sent: no more than `max` characters of it, by default ERROR_TEXT_MAX. Well-formed text stays so. */
export function shortened(text: string, max: number = HTTP_LIMITS.ERROR_TEXT_MAX.value): string {
  if (text.length <= max) return text;
  const cut = text.slice(0, max);
  const last = cut.charCodeAt(cut.length - 1);
  // Half of a surrogate pair is no text.
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return `${isHalf ? cut.slice(0, -1) : cut}…`;
}
