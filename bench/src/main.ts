/**
 * `npm run bench`: measures every seat over every transport and what the machine itself can do, prints one table, and writes the results.
 * Options: see options.ts, or `npm run bench -- --help`.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import type { LimitsTask, MachineLimits } from "./limits/machine-limits.ts";
import { machineFacts } from "./machine-facts.ts";
import { type BenchOptions, RESULTS_FOLDER, readOptions, USAGE } from "./options.ts";
import { drawDocs } from "./report/draw-docs.ts";
import { textReport } from "./report/text-report.ts";
import { type BenchmarkResults, RESULTS_SCHEMA_VERSION, type RowResult } from "./results.ts";
import { ROWS, type RowSpec } from "./rows.ts";
import { runRow } from "./run-row.ts";
import { runProgram } from "./servers/child-process.ts";
import { openPostgres, type Postgres } from "./servers/postgres.ts";
import { summarizeLimits, summarizeRow } from "./summarize-rounds.ts";
import { writeResults } from "./write-results.ts";

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const rows = ROWS.filter(({ id }) => options.only.test(id));
  if (options.help || rows.length === 0) {
    console.error(options.help ? USAGE : `no row matches; there are:\n${ROWS.map(({ id }) => `  ${id}`).join("\n")}`);
    return options.help ? 0 : 2;
  }
  const results = await measure(options, rows);
  console.log(textReport(results));
  if (options.out !== undefined) console.error(`wrote ${await writeResults(results, options.out)}`);
  if (options.complete && options.out === RESULTS_FOLDER) {
    for (const [path, text] of Object.entries(drawDocs(results))) await writeFile(path, text);
  }
  return 0;
}

async function measure(options: BenchOptions, rows: readonly RowSpec[]): Promise<BenchmarkResults> {
  const startedAt = new Date().toISOString();
  const folder = await mkdtemp(join(resolve(options.folder), ".bench-"));
  // PostgreSQL runs as another user and has its data in this folder.
  await chmod(folder, 0o755);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void process.exit(130));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  let postgres: Promise<Postgres> | undefined;
  const openOnce = (): Promise<Postgres> => {
    postgres ??= openPostgres(folder);
    return postgres;
  };
  const limits: MachineLimits[] = [];
  const measured = new Map<string, RowResult[]>(rows.map(({ id }) => [id, []]));
  try {
    const { plan } = options.sizes;
    const context = { folder, plan, chunkBytes: options.chunkBytes, postgres: openOnce, appCore: secondCore() };
    for (let round = 1; round <= options.rounds; round++) {
      const note = progressOf(round, options.rounds);
      note("limits of the machine");
      const task: LimitsTask = { ...options.sizes.limits, folder };
      limits.push((await runProgram({ file: "limits/main.ts" }, task)) as MachineLimits);
      for (const row of rows) {
        note(row.id);
        measured.get(row.id)?.push(await runRow(row, context));
      }
    }
  } finally {
    await (await postgres)?.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return {
    schemaVersion: RESULTS_SCHEMA_VERSION,
    startedAt,
    rounds: options.rounds,
    quick: options.quick,
    machine: machineFacts(options.folder),
    plan: options.sizes.plan,
    chunkBytes: options.chunkBytes,
    limits: summarizeLimits(limits),
    rows: [...measured.values()].map(summarizeRow),
  };
}

function progressOf(round: number, rounds: number): (what: string) => void {
  const startedAtMs = performance.now();
  return (what) => {
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(0).padStart(4);
    process.stderr.write(`${seconds} s  ${rounds > 1 ? `round ${round}: ` : ""}${what}\n`);
  };
}

/** A core other than the one that a pinned server has; `undefined` where there is none, or no `taskset`. */
function secondCore(): number | undefined {
  try {
    execFileSync("taskset", ["-c", "1", "true"], { stdio: "ignore" });
    return availableParallelism() > 1 ? 1 : undefined;
  } catch {
    return undefined;
  }
}
