import { PHASES, type PhaseName } from "../load/run-load.ts";
import type { BenchmarkResults, RowResult } from "../results.ts";
import { appPeakOf, labelOf, rateOf, show, showMib, showShare, stallsOf, throughputOf } from "./figures.ts";
import { limitOfRow, sharesOfLimit } from "./limit-of-row.ts";
import { judgeTargets } from "./targets.ts";

/** Cells of a table; the first row is the heading. */
export type Table = ReadonlyArray<readonly string[]>;

const LARGE = ["putBulk", "getBulk", "putSingle", "getSingle"] as const;
const SMALL = ["putSmall", "getSmall"] as const;

/** Large objects: throughput, share of the limit, memory, stalls. */
export function largeTable(results: BenchmarkResults): Table {
  const { bulkObjectBytes, singleBytes } = results.plan;
  const [many, single] = [`${showMib(bulkObjectBytes)} MiB objects`, `one of ${showMib(singleBytes)} MiB`];
  const heading = [
    "seat, servers, transport",
    "durability",
    `put ${many}`,
    `get ${many}`,
    `put ${single}`,
    `get ${single}`,
  ];
  const rows = results.rows
    .filter((row) => LARGE.some((phase) => row.phases[phase] !== undefined))
    .map((row) => {
      const shares = sharesOfLimit(results, row);
      return [
        ...[labelOf(row), row.durability],
        ...LARGE.map((phase) => show(throughputOf(row, phase))),
        `${showShare(shares.put)}, ${showShare(shares.get)}`,
        limitOfRow(results, row).name,
        ...memoryCells(row),
        stallCell(row, LARGE),
      ];
    });
  return [
    [...heading, "put, get of limit", "limit", "app", "largest server", "all servers", "stalls p99 / longest"],
    ...rows,
  ];
}

/** Small objects: rates, latencies, stalls. */
export function smallTable(results: BenchmarkResults): Table {
  const heading = ["seat, servers, transport", "durability", "puts/s", "p50", "p99", "gets/s", "p50", "p99"];
  const rows = results.rows
    .filter((row) => SMALL.some((phase) => row.phases[phase] !== undefined))
    .map((row) => [
      labelOf(row),
      row.durability,
      ...SMALL.flatMap((phase) => rateCells(row, phase)),
      stallCell(row, SMALL),
    ]);
  return [[...heading, "stalls p99 / longest"], ...rows];
}

/** Everything in one: what a terminal shows. */
export function wholeTable(results: BenchmarkResults): Table {
  const heading = [
    "MB/s and 4 KiB objects/s",
    "durability",
    "put",
    "get",
    "put 1",
    "get 1",
    "of limit",
    "put/s",
    "p50",
    "p99",
  ];
  const rows = results.rows.map((row) => {
    const shares = sharesOfLimit(results, row);
    return [
      ...[labelOf(row), row.durability],
      ...LARGE.map((phase) => show(throughputOf(row, phase))),
      `${showShare(shares.put)}, ${showShare(shares.get)}`,
      ...SMALL.flatMap((phase) => rateCells(row, phase)),
      ...memoryCells(row),
      stallCell(row, PHASES),
    ];
  });
  return [[...heading, "get/s", "p50", "p99", "app MiB", "server", "servers", "stall ms"], ...rows];
}

/** The machine's own limits. */
export function limitsTable({ limits }: BenchmarkResults): Table {
  return [
    ["limit of the machine", "measured"],
    ["SHA-256, one core", `${show(limits.sha256MegabytesPerSecond)} MB/s`],
    ["disk, one file, fdatasync at its end", `${show(limits.diskMegabytesPerSecond)} MB/s`],
    ["disk, one file, fdatasync every 4 MiB", `${show(limits.diskEvery4MibMegabytesPerSecond)} MB/s`],
    ["4 KiB file, fsync, rename, 1 thread", `${show(limits.smallFilesPerSecond1Thread)}/s`],
    ["4 KiB file, fsync, rename, 16 threads", `${show(limits.smallFilesPerSecond16Threads)}/s`],
    ["bare HTTP over loopback, put", `${show(limits.httpPutMegabytesPerSecond)} MB/s`],
    ["bare HTTP over loopback, get", `${show(limits.httpGetMegabytesPerSecond)} MB/s`],
    ["bare HTTP and SHA-256 at both ends, put", `${show(limits.httpSha256PutMegabytesPerSecond)} MB/s`],
    ["bare HTTP and SHA-256 by the receiver, get", `${show(limits.httpSha256GetMegabytesPerSecond)} MB/s`],
  ];
}

/** The targets and whether they are met. */
export function targetsTable(results: BenchmarkResults): Table {
  const verdict = (met: boolean | undefined): string => (met === undefined ? "not measured" : met ? "met" : "MISSED");
  const rows = judgeTargets(results).map(({ target, measured, met }) => [target, measured, verdict(met)]);
  return [["target", "measured", ""], ...rows];
}

function rateCells(row: RowResult, phase: PhaseName): readonly string[] {
  const report = row.phases[phase];
  return [show(rateOf(row, phase)), show(report?.latencyP50Ms), show(report?.latencyP99Ms)];
}

function memoryCells(row: RowResult): readonly string[] {
  const { serverMemory } = row;
  return [appPeakOf(row, PHASES), serverMemory?.largestRssBytes, serverMemory?.totalRssBytes].map(showMib);
}

function stallCell(row: RowResult, phases: readonly PhaseName[]): string {
  const stalls = stallsOf(row, phases);
  return stalls === undefined ? "-" : `${show(stalls.p99Ms)} / ${show(stalls.maxMs)}`;
}
