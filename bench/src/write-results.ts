import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostClass } from "./machine-facts.ts";
import type { BenchmarkResults } from "./results.ts";

/** Writes `<date>-<host class>.json` and `latest.json` into a folder. @returns the path of the first. */
export async function writeResults(results: BenchmarkResults, folder: string): Promise<string> {
  const text = `${JSON.stringify(results, null, 2)}\n`;
  const path = join(folder, `${results.startedAt.slice(0, 10)}-${hostClass(results.machine)}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(path, text);
  await writeFile(join(folder, "latest.json"), text);
  return path;
}
