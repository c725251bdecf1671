import { GIB, KIB, MIB, TIB } from "@ashlar/sdk/limits";
import { visibleText } from "./control-characters.ts";

const UNITS = [
  [TIB, "TiB"],
  [GIB, "GiB"],
  [MIB, "MiB"],
  [KIB, "KiB"],
] as const;

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  for (const [size, unit] of UNITS) {
    if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return `${bytes} B`;
}

/** Bytes per second: `2.4 MiB/s`. */
export function formatRate(bytes: number, seconds: number): string {
  return `${formatBytes(Math.round(seconds > 0 ? bytes / seconds : 0))}/s`;
}

const SECOND_MS = 1000;
const DURATION_UNITS = [
  [86_400 * SECOND_MS, "d"],
  [3600 * SECOND_MS, "h"],
  [60 * SECOND_MS, "m"],
  [SECOND_MS, "s"],
] as const;

/** As settings are written: `1500` → `1.5s`, `75000` → `1m 15s`, `3600000` → `1h`: the two largest units, and tenths below a minute. */
export function formatDuration(ms: number): string {
  if (ms < 60 * SECOND_MS) return `${Math.round(ms / 100) / 10}s`;
  let rest = Math.round(ms / SECOND_MS) * SECOND_MS;
  const parts: string[] = [];
  for (const [unitMs, unit] of DURATION_UNITS) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count}${unit}`);
    // The unit after the largest one is the last, also if its count is 0.
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** A fraction of 1 as a percentage with two decimals. */
export function formatShare(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}

/** Date and time in UTC, independent of the locale, to the second. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace("T", " ").slice(0, 19);
}

/** `"1 object"`, `"2 objects"`; @param plural where it is no `s`. */
export function formatCount(count: number, noun: string, plural: string = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Rows as aligned columns; numbers (cells that begin with a digit) to the right. The first row is the heading. Cells hold one line. */
export function formatTable(table: ReadonlyArray<readonly string[]>): string {
  const rows = table.map((row) => row.map(visibleText));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const isNumber = widths.map((_, column) => rows.slice(1).every((row) => /^[\d-]/.test(row[column] ?? "-")));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return isNumber[column] ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
