import type { BenchmarkResults, RowResult } from "../results.ts";
import { throughputOf } from "./figures.ts";

/** What bounds a row's large objects: the machine's own figure for the slowest thing that the row cannot do without. */
export interface RowLimit {
  readonly name: string;
  readonly put: number;
  readonly get: number;
}

/** The limit that a row is held against. */
export function limitOfRow({ limits }: BenchmarkResults, row: RowResult): RowLimit {
  const sha256 = limits.sha256MegabytesPerSecond;
  if (row.servers === "none") {
    if (row.durability === "strict") return { name: "disk, SHA-256", put: limits.diskMegabytesPerSecond, get: sha256 };
    return { name: "SHA-256", put: sha256, get: sha256 };
  }
  const { httpSha256PutMegabytesPerSecond: put, httpSha256GetMegabytesPerSecond: get } = limits;
  if (row.durability === "os") return { name: "HTTP + SHA-256", put, get };
  return { name: "disk or HTTP + SHA-256", put: Math.min(put, limits.diskMegabytesPerSecond), get };
}

/** A row's large objects as shares of its limit. */
export function sharesOfLimit(
  results: BenchmarkResults,
  row: RowResult,
): { readonly put: number | undefined; readonly get: number | undefined } {
  const limit = limitOfRow(results, row);
  const [put, get] = [throughputOf(row, "putBulk"), throughputOf(row, "getBulk")];
  return { put: put && put / limit.put, get: get && get / limit.get };
}
