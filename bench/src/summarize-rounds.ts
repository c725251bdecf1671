import type { MachineLimits } from "./limits/machine-limits.ts";
import type { PhaseReport } from "./load/phase.ts";
import { PHASES } from "./load/run-load.ts";
import type { RowResult } from "./results.ts";
import type { ServerMemory } from "./servers/setup.ts";
import { median } from "./statistics.ts";

/** The limits of several rounds: medians. */
export function summarizeLimits(rounds: readonly MachineLimits[]): MachineLimits {
  const [first] = rounds as readonly [MachineLimits];
  const names = Object.keys(first) as (keyof MachineLimits)[];
  return Object.fromEntries(
    names.map((name) => [name, median(rounds.map((each) => each[name]))]),
  ) as unknown as MachineLimits;
}

/** One row of several rounds: the median round of each phase by speed, and the largest memory and stalls of all. */
export function summarizeRow(rounds: readonly RowResult[]): RowResult {
  const [first] = rounds as readonly [RowResult];
  const phases = Object.fromEntries(
    PHASES.flatMap((name) => {
      const reports = rounds.flatMap(({ phases }) => phases[name] ?? []);
      return reports.length === 0 ? [] : [[name, summarizePhase(reports)]];
    }),
  );
  const memories = rounds.flatMap(({ serverMemory }) => serverMemory ?? []);
  return { ...first, phases, ...(memories.length === 0 ? {} : { serverMemory: largestMemory(memories) }) };
}

function summarizePhase(reports: readonly PhaseReport[]): PhaseReport {
  const bySpeed = [...reports].sort((a, b) => a.objects / a.elapsedMs - b.objects / b.elapsedMs);
  const middle = bySpeed[Math.floor((bySpeed.length - 1) / 2)] as PhaseReport;
  return {
    ...middle,
    latencyP50Ms: median(reports.map(({ latencyP50Ms }) => latencyP50Ms)),
    latencyP99Ms: median(reports.map(({ latencyP99Ms }) => latencyP99Ms)),
    loopP99Ms: Math.max(...reports.map(({ loopP99Ms }) => loopP99Ms)),
    loopMaxMs: Math.max(...reports.map(({ loopMaxMs }) => loopMaxMs)),
    peakRssBytes: Math.max(...reports.map(({ peakRssBytes }) => peakRssBytes)),
  };
}

function largestMemory(memories: readonly ServerMemory[]): ServerMemory {
  const [first] = memories as readonly [ServerMemory];
  const largest = (name: "largestRssBytes" | "totalRssBytes"): number | undefined => {
    const known = memories.flatMap((memory) => memory[name] ?? []);
    return known.length === 0 ? undefined : Math.max(...known);
  };
  return { ...first, largestRssBytes: largest("largestRssBytes"), totalRssBytes: largest("totalRssBytes") };
}
