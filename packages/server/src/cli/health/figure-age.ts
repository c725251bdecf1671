import { formatDuration } from "../../observability/format.ts";

/** How old a figure is, such as `counted 1m 30s ago`: a gateway counts at intervals, so it may be from before what the reader sees. */
export function countedAgo(countedAtMs: number, nowMs: number): string {
  return `counted ${formatDuration(Math.max(0, Math.round((nowMs - countedAtMs) / 1000) * 1000))} ago`;
}

/** The same in brackets, after a figure; nothing if the gateway, of an earlier release, does not tell. */
export function ageText(countedAtMs: number | undefined, nowMs: number): string {
  return countedAtMs === undefined ? "" : ` (${countedAgo(countedAtMs, nowMs)})`;
}
