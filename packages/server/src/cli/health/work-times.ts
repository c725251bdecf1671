import { formatDuration } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";

/** When a gateway last counted what is left to do, in ms since the Unix epoch; `undefined` if it has not, or is of an earlier release. */
export const workTimeOf = (figure: Figures | undefined): number | undefined =>
  timeOf(figure, "ashlar_work_counted_timestamp_seconds");

/** When nothing will be left, by a gateway, in ms since the Unix epoch; `undefined` if nothing is left, or the gateway cannot say. */
export const expectedEndOf = (figure: Figures | undefined): number | undefined =>
  timeOf(figure, "ashlar_work_expected_end_timestamp_seconds");

function timeOf(figure: Figures | undefined, name: string): number | undefined {
  const seconds = figure?.(name) ?? 0;
  return seconds === 0 ? undefined : seconds * 1000;
}

/** `, done in about 12m at the rate of the last minutes`; nothing if the end is not known, or has passed since the count. */
export function endText(expectedEndAtMs: number | undefined, nowMs: number): string {
  if (expectedEndAtMs === undefined || expectedEndAtMs <= nowMs) return "";
  const leftMs = Math.ceil((expectedEndAtMs - nowMs) / 1000) * 1000;
  return `, done in about ${formatDuration(leftMs)} at the rate of the last minutes`;
}
