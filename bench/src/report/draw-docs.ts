import { readFileSync } from "node:fs";
import { withSection } from "../../../tools/docs/markdown.ts";
import type { BenchmarkResults } from "../results.ts";
import { benchmarkChart } from "./benchmark-chart.ts";
import { benchmarkSection } from "./benchmark-page.ts";

const PAGE = "docs/benchmarks.md";
const CHART = "docs/benchmarks.svg";

/** What the docs show of results, by path from the repository's root. The page's own words stay. */
export function drawDocs(results: BenchmarkResults): Readonly<Record<string, string>> {
  return {
    [PAGE]: withSection(readFileSync(PAGE, "utf8"), "benchmarks", benchmarkSection(results)),
    [CHART]: benchmarkChart(results),
  };
}
