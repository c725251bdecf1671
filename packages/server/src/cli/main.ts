#!/usr/bin/env node
import process from "node:process";
import { runCli } from "./run-cli.ts";
import { superviseProcess } from "./supervise-process.ts";

const supervision = superviseProcess();
const exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: supervision.signal,
  setTitle: (title) => {
    process.title = title;
  },
  // Whoever starts it under another name says how, for the commands that it shows.
  program: process.env.ASHLAR_PROGRAM,
});
await supervision.exit(exitCode);
