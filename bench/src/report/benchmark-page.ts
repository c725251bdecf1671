import { markdownTable } from "../../../tools/docs/markdown.ts";
import type { BenchmarkResults } from "../results.ts";
import { largeTable, limitsTable, smallTable, targetsTable } from "./tables.ts";

/** The text between the markers of docs/benchmarks.md. */
export function benchmarkSection(results: BenchmarkResults): string {
  const { machine, plan, quick, rounds, startedAt } = results;
  const memoryGib = Math.round(machine.memoryBytes / 1024 ** 3);
  return `Measured on ${startedAt.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${memoryGib} GiB, ${machine.kernel}, Node ${machine.node}, ${machine.fileSystem}; ${rounds === 1 ? "one round" : `medians of ${rounds} rounds`}.${quick ? "\n\n**A quick run on a busy machine: it shows that the rows work, its figures say nothing.**" : ""}

## Targets

${markdownTable(targetsTable(results))}

## Large objects

MB/s (10^6 bytes); ${plan.bulkInFlight} objects of 64 MiB at once. Where a gibibyte would take longer than ${plan.largeLimitMs / 1000} s, less is moved. Memory in MiB, stalls in ms.

${markdownTable(largeTable(results))}

## Small objects

Objects of ${plan.smallBytes / 1024} KiB, ${plan.smallInFlight} at once. Times in ms.

${markdownTable(smallTable(results))}

## What the machine itself can do

${markdownTable(limitsTable(results))}`;
}
