import type { CliIo, Output } from "./cli-io.ts";
import type { SettingName } from "./config.ts";
import type { ResolvedSettings, Settings } from "./settings.ts";

/** A positional argument, as commander writes it: `<key>`, `[file]`, `<keys...>`. */
export interface CommandArgument {
  readonly name: string;
  readonly help: string;
}

/** A command while it runs. */
export interface CommandCall<Name extends SettingName> {
  /** Positional arguments in order; `undefined` where an optional one is missing, an array for a variadic one. */
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly settings: Settings<Name>;
  readonly given: ResolvedSettings<Name>["given"];
  readonly io: CliIo;
  readonly output: Output;
  /** Aborted by SIGINT, SIGTERM, SIGHUP, and when the reader of standard output goes away. */
  readonly signal: AbortSignal;
  /** Sets the title in the list of processes, such as `node n3`; no secrets. */
  readonly setTitle: (title: string) => void;
  /** How the program is called, for commands that are shown to the user: `ashlar`. */
  readonly program: string;
}

/** A command of the program, as data: commander, the help and the docs are made from it. */
export interface Command {
  /** `put`, or `key create` for one of a group. */
  readonly name: string;
  readonly summary: string;
  /** The command of its group that runs if none is named. */
  readonly isDefault?: boolean;
  readonly arguments: readonly CommandArgument[];
  readonly settings: readonly SettingName[];
  /** Settings that this command does not take, and whose variables it refuses, because who sets them expects something: each with what to do instead. */
  readonly refuses?: Readonly<Partial<Record<SettingName, string>>>;
  /** Lines as they would be typed, without the name of the program. */
  readonly examples: readonly string[];
  /** @returns the exit code; nothing means 0. */
  readonly run: (call: CommandCall<SettingName>) => Promise<number | undefined>;
}

/** Gives the settings that a command reads the types that belong to their names. */
export function defineCommand<Name extends SettingName>(
  command: Omit<Command, "settings" | "run"> & {
    readonly settings: readonly Name[];
    readonly run: (call: CommandCall<Name>) => Promise<number | undefined>;
  },
): Command {
  return Object.freeze(command) as unknown as Command;
}

/** A required positional argument; commander has checked that it is there. */
export function textArgument(call: Pick<CommandCall<SettingName>, "args">, index: number): string {
  const argument = call.args[index];
  if (typeof argument !== "string") throw new TypeError(`argument ${index} is missing`);
  return argument;
}

/** An optional positional argument. */
export function optionalArgument(call: Pick<CommandCall<SettingName>, "args">, index: number): string | undefined {
  const argument = call.args[index];
  return typeof argument === "string" ? argument : undefined;
}

/** A variadic positional argument. */
export function listArgument(call: Pick<CommandCall<SettingName>, "args">, index: number): readonly string[] {
  const argument = call.args[index];
  return Array.isArray(argument) ? (argument as readonly string[]) : [];
}
