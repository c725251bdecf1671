/** The command line as a function, for programs that include it. */
export type { CliIo } from "./cli-io.ts";
export type { Command, CommandArgument } from "./command.ts";
export { COMMANDS } from "./commands/index.ts";
export { SETTING_GROUPS, type Setting, type SettingName, type SettingUnit } from "./config.ts";
export { EXIT_CODES, exitCodeOf, Interruption } from "./exit-codes.ts";
export { type CliOptions, runCli } from "./run-cli.ts";
export { defaultText } from "./settings.ts";
export { type ProcessSupervision, superviseProcess } from "./supervise-process.ts";
