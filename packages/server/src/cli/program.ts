import { Command as Commander, Option } from "commander";
import { SOFTWARE_VERSION } from "../observability/software-version.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { SETTINGS, type Setting } from "./config.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { defaultText } from "./settings.ts";

/** Called when the command line names a command. */
export type Dispatch = (
  command: Command,
  args: readonly (string | readonly string[] | undefined)[],
  flags: Readonly<Record<string, unknown>>,
) => Promise<void>;

/** What {@link createProgram} takes. */
export interface ProgramOptions {
  readonly name: string;
  readonly dispatch: Dispatch;
  readonly writeOut: (text: string) => void;
  readonly writeError: (text: string) => void;
}

const GROUPS: Readonly<Record<string, string>> = {
  key: "API keys of a gateway",
  uploads: "unfinished multipart uploads",
  layout: "the layout: which nodes hold the chunks, and how many copies there are",
  token: "access tokens for clients that must not hold an API key",
  backup: "backups of a store in a folder, each chunk once",
  cluster: "a whole cluster on this machine: PostgreSQL, storage nodes and a gateway",
};

/** Builds commander's program from the table of commands. It throws instead of ending the process. */
export function createProgram(options: ProgramOptions): Commander {
  const program = new Commander(options.name)
    .description("Ashlar: an object store that an app embeds, and that grows into a cluster.")
    .version(SOFTWARE_VERSION, "--version", "print the version")
    .helpCommand("help [command]", "help for a command")
    .addHelpText("after", afterHelp);
  configure(program, options);
  const groups = new Map<string, Commander>();
  for (const command of COMMANDS) {
    const [first = "", second] = command.name.split(" ");
    if (second === undefined) add(program, first, command, options);
    else {
      const group = groups.get(first) ?? configure(program.command(first).description(GROUPS[first] ?? ""), options);
      groups.set(first, group);
      add(group, second, command, options);
    }
  }
  return program;
}

function configure(commander: Commander, options: ProgramOptions): Commander {
  return commander
    .exitOverride()
    .configureOutput({ writeOut: options.writeOut, writeErr: options.writeError, outputError: () => {} })
    .configureHelp({ showGlobalOptions: false });
}

function add(parent: Commander, name: string, command: Command, options: ProgramOptions): void {
  const child = configure(parent.command(name, { isDefault: command.isDefault === true }), options).description(
    command.summary,
  );
  for (const { name: argument, help } of command.arguments) child.argument(argument, help);
  for (const settingName of command.settings) addOption(child, SETTINGS[settingName]);
  const examples = command.examples.map((example) => `  ${options.name} ${example}`).join("\n");
  if (examples !== "") child.addHelpText("after", `\nExamples:\n${examples}`);
  // In a group with a default command, commander takes a mistyped command as an argument of the default.
  if (command.isDefault === true) child.allowExcessArguments();
  child.action(async () => {
    const [unknown] = child.args.slice(command.arguments.length);
    if (command.isDefault === true && unknown !== undefined) {
      const names = parent.commands.map((entry) => entry.name()).join(", ");
      parent.error(`error: unknown command '${unknown}'\n(${parent.name()} has: ${names})`);
    }
    await options.dispatch(command, child.processedArgs, child.opts());
  });
}

function addOption(commander: Commander, setting: Setting): void {
  if (setting.flag === undefined) return;
  const notes = [
    setting.choices === undefined ? undefined : `one of ${setting.choices.join(", ")}`,
    defaultText(setting) === undefined ? undefined : `default ${defaultText(setting)}`,
    setting.env === undefined ? undefined : `env ${setting.env}`,
  ].filter((note) => note !== undefined);
  const suffix = notes.length === 0 ? "" : ` (${notes.join("; ")})`;
  commander.addOption(new Option(setting.flag, `${setting.reason}${suffix}`));
}

function afterHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ value, meaning }) => `  ${String(value).padEnd(5)}${meaning}`);
  return `\nSizes are written 64KiB, 4MiB, 1.5GiB or in bytes, durations 500ms, 30s, 5m, 1h, 7d or in milliseconds.\n\nExit codes:\n${lines.join("\n")}`;
}
