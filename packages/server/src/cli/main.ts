#!/usr/bin/env node
import process from "node:process";
import { nodejsProblem } from "./nodejs-version.ts";

// Nothing else is imported before the check: in an older Node an import fails, and its stack does not say what to do.
const problem = nodejsProblem(process.versions.node);
if (problem === undefined) await import("./run-process.ts");
else {
  process.stderr.write(`ashlar: ${problem}\n`);
  process.exitCode = 2;
}
