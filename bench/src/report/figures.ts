import type { PhaseReport } from "../load/phase.ts";
import type { PhaseName } from "../load/run-load.ts";
import type { RowResult } from "../results.ts";
import { megabytesPerSecond } from "../statistics.ts";

const MIB = 1024 * 1024;
const TRANSPORT_LABELS: Readonly<Record<string, string>> = { undici: "http (undici)", fetch: "http (fetch)" };

/** MB/s of a phase; `undefined` if it did not run. */
export function throughputOf(row: RowResult | undefined, phase: PhaseName): number | undefined {
  const report = row?.phases[phase];
  return report && megabytesPerSecond(report.sizeBytes, report.elapsedMs);
}

/** Objects per second of a phase; `undefined` if it did not run. */
export function rateOf(row: RowResult | undefined, phase: PhaseName): number | undefined {
  const report = row?.phases[phase];
  return report && (report.objects / report.elapsedMs) * 1000;
}

/** What the row is called for people. */
export function labelOf({ seat, transport, servers, core }: RowResult): string {
  if (seat === "embedded") return "embedded";
  if (seat === "in-process") return "gateway in process";
  const where = servers === "one" ? "one server" : "cluster";
  const over = TRANSPORT_LABELS[transport ?? ""] ?? transport ?? "";
  return `${seat}, ${where}, ${over}${core === undefined ? "" : ", on one core"}`;
}

/** Largest event-loop stalls of the phases, in ms: the worst p99 and the longest of all. */
export function stallsOf(
  row: RowResult,
  phases: readonly PhaseName[],
): { readonly p99Ms: number; readonly maxMs: number } | undefined {
  const reports = reportsOf(row, phases);
  if (reports.length === 0) return undefined;
  return {
    p99Ms: Math.max(...reports.map(({ loopP99Ms }) => loopP99Ms)),
    maxMs: Math.max(...reports.map(({ loopMaxMs }) => loopMaxMs)),
  };
}

/** Peak resident memory of the app over the phases, in bytes. */
export function appPeakOf(row: RowResult, phases: readonly PhaseName[]): number | undefined {
  const reports = reportsOf(row, phases);
  return reports.length === 0 ? undefined : Math.max(...reports.map(({ peakRssBytes }) => peakRssBytes));
}

function reportsOf(row: RowResult, phases: readonly PhaseName[]): readonly PhaseReport[] {
  return phases.flatMap((name) => row.phases[name] ?? []);
}

/** A figure in a cell: no fraction from 10 on, thousands apart; `-` for none. */
export function show(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en-US");
}

/** Bytes as MiB. */
export function showMib(bytes: number | undefined): string {
  return bytes === undefined ? "-" : show(Math.round(bytes / MIB));
}

/** A share as a percentage. */
export function showShare(share: number | undefined): string {
  return share === undefined || !Number.isFinite(share) ? "-" : `${Math.round(share * 100)} %`;
}
