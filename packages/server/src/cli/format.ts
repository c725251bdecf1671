import { GIB, KIB, MIB, TIB } from "@ashlar/sdk/limits";

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

/** Decimal megabytes per second, as disks and networks are sold. */
export function formatRate(bytes: number, seconds: number): string {
  const rate = seconds > 0 ? bytes / seconds / 1e6 : 0;
  return `${rate.toFixed(rate >= 100 ? 0 : 1)} MB/s`;
}

/** `75` → `1:15`; hours where there are any. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${parts.join(":")}` : parts.join(":").replace(/^0/, "");
}

/** `1500` → `1.5 s`, `75000` → `1 min 15 s`, `3600000` → `1 h`: the two largest units. */
export function formatDuration(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts = hours > 0 ? [`${hours} h`, `${minutes} min`] : [`${minutes} min`, `${seconds % 60} s`];
  return parts.filter((part) => !part.startsWith("0 ")).join(" ");
}

/** A fraction of 1 as a percentage with two decimals. */
export function formatShare(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}

/** Local-independent date and time, to the second. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace("T", " ").slice(0, 19);
}

/** `"1 object"`, `"2 objects"`; @param plural where it is no `s`. */
export function formatCount(count: number, noun: string, plural: string = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Rows as aligned columns; numbers (cells that begin with a digit) to the right. The first row is the heading. */
export function formatTable(rows: ReadonlyArray<readonly string[]>): string {
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
