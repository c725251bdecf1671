/**
 * Writes the pages of docs/ that are made from tables in the sources or from measurements, and README's table of transports:
 * `node --conditions=ashlar-source tools/docs.ts`, or with `--check`: exit code 1 if one of them is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { drawDocs } from "../bench/src/report/draw-docs.ts";
import type { BenchmarkResults } from "../bench/src/results.ts";
import { configurationPage } from "./docs/configuration-page.ts";
import { errorsPage } from "./docs/errors-page.ts";
import { limitsPage } from "./docs/limits-page.ts";
import { withSection } from "./docs/markdown.ts";
import { speedTable } from "./docs/speed-table.ts";
import { transportsTable } from "./docs/transports-table.ts";

const README = "README.md";
const SEATS = "docs/seats-and-transports.md";
const readme = existsSync(README) ? readFileSync(README, "utf8") : "";

const RESULTS = "bench/results/latest.json";
const measured = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as BenchmarkResults) : undefined;

const PAGES: Readonly<Record<string, string>> = {
  "docs/errors.md": errorsPage(),
  "docs/limits.md": limitsPage(),
  "docs/configuration.md": configurationPage(),
  ...(measured && drawDocs(measured)),
  [README]: withSection(readme, "transports", transportsTable()),
  [SEATS]: withSection(
    withSection(readFileSync(SEATS, "utf8"), "transports", transportsTable()),
    "speed",
    speedTable(measured),
  ),
};

const isCheck = process.argv.includes("--check");
for (const [path, text] of Object.entries(PAGES)) {
  const current = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  if (current === text) continue;
  if (isCheck) {
    console.error(`${path} is stale: run "npm run docs"`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
