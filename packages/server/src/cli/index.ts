/** The command line as a function, for programs that bring it along. */
export type { CliIo } from "./cli-io.ts";
export { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
export { Interruption } from "./interruption.ts";
export { type CliOptions, runCli } from "./run-cli.ts";
export { type ProcessSupervision, superviseProcess } from "./supervise-process.ts";
