import { GIB, KIB, MIB, TIB } from "@ashlar/sdk/limits";

/** The one notation of sizes and durations, of flags, variables and messages alike. */
const UNITS_BYTES = [
  ["TiB", TIB],
  ["GiB", GIB],
  ["MiB", MIB],
  ["KiB", KIB],
  ["B", 1],
] as const;
const UNITS_MS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

const NUMBER = String.raw`(\d+(?:\.\d+)?) ?`;
const PARTS = ["d", "h", "m", "s", "ms"].map((unit) => `(?:${NUMBER}${unit} ?)?`);
const DURATION = new RegExp(`^${PARTS.join("")}$`);

/** Reads `1500` (ms), `30s`, `1.5h`, `7d`, and several from the largest on: `1m 15s`. @returns whole ms; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return safe(Number(text));
  const [whole, ...numbers] = text.match(DURATION) ?? [];
  if (whole === undefined || whole.trim() === "") return undefined;
  return safe(UNITS_MS.reduce((sum, [, unitMs], index) => sum + Number(numbers[index] ?? 0) * unitMs, 0));
}

/** Reads `65536` (bytes), `64KiB`, `1.5 GiB`. @returns `undefined` for anything else; MB is nothing here: it means two things. */
export function parseBytes(text: string): number | undefined {
  if (/^\d+$/.test(text)) return safe(Number(text));
  const [, number, unit] = text.match(/^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/) ?? [];
  const [, factor = Number.NaN] = UNITS_BYTES.find(([name]) => name === unit) ?? [];
  return safe(Number(number) * factor);
}

/** A fraction of a unit is rounded to what can be counted. */
function safe(value: number): number | undefined {
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/** `4194304` → `4MiB`, without rounding. */
export function formatExactBytes(bytes: number): string {
  return exact(bytes, UNITS_BYTES);
}

/** `900000` → `15m`, without rounding. */
export function formatExactDuration(ms: number): string {
  return exact(ms, UNITS_MS);
}

function exact(value: number, units: ReadonlyArray<readonly [string, number]>): string {
  const [unit = "", factor = 1] = units.find(([, size]) => value >= size && value % size === 0) ?? units.at(-1) ?? [];
  return `${value / factor}${unit}`;
}
