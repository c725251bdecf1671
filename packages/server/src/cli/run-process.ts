import process from "node:process";
import { argumentProblem } from "./argument-bytes.ts";
import { runCli } from "./run-cli.ts";
import { closedStreams } from "./standard-streams.ts";
import { superviseProcess } from "./supervise-process.ts";

const argv = process.argv.slice(2);
// Before the title changes, which writes over the arguments.
const problem = argumentProblem(argv);
const supervision = superviseProcess();
const exitCode = await runCli({
  argv,
  argumentProblem: problem,
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  closed: closedStreams(),
  signal: supervision.signal,
  setTitle: (title) => {
    process.title = title;
  },
  // Whoever starts it under another name says how, for the commands that it shows.
  program: process.env.ASHLAR_PROGRAM,
});
await supervision.exit(exitCode);
