const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const TIME = "(\\d\\d):(\\d\\d):(\\d\\d)";
const MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} GMT$`);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(`^${DAY}[a-z]{3,6}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} GMT$`);
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`);

/**
 * Reads an HTTP date in its three forms (RFC 9110 §5.6.7).
 *
 * @returns milliseconds since 1970; `undefined` for anything else. `Date.parse` takes much more, `1` or `2001-02-30` for example, and a condition
 *   with such a date has to be ignored.
 */
export function parseHttpDate(text: string): number | undefined {
  const value = text.trim();
  const fixed = IMF_FIXDATE.exec(value);
  if (fixed !== null) return timeOf(fixed[3], fixed[2], fixed[1], fixed.slice(4));
  const old = RFC_850.exec(value);
  if (old !== null) return timeOf(fullYear(Number(old[3])), old[2], old[1], old.slice(4));
  const ancient = ASCTIME.exec(value);
  return ancient === null ? undefined : timeOf(ancient[6], ancient[1], ancient[2], ancient.slice(3, 6));
}

/** A time as HTTP says it, in whole seconds. @param ms since 1970. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** A year of two digits that would lie more than 50 years ahead lies in the past. */
function fullYear(year: number): number {
  const now = new Date().getUTCFullYear();
  const guess = now - (now % 100) + year;
  return guess > now + 50 ? guess - 100 : guess;
}

function timeOf(
  year: string | number | undefined,
  month: string | undefined,
  day: string | undefined,
  clock: readonly string[],
): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = clock.map(Number);
  const monthIndex = MONTHS.indexOf(month ?? "") / 3;
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (date.getUTCDate() !== Number(day)) return undefined;
  date.setUTCHours(hours, minutes, seconds);
  return date.getTime();
}
