import { AshlarError } from "@ashlar/sdk/errors";
import { type Command as Commander, CommanderError } from "commander";
import { visibleLines, visibleText } from "../observability/control-characters.ts";
import { type CliIo, createOutput, jsonText } from "./cli-io.ts";
import type { Command } from "./command.ts";
import { SETTINGS, type Setting, type SettingName } from "./config.ts";
import { EXIT_CODES, exitCodeOf, Interruption } from "./exit-codes.ts";
import { closest, type HintContext, hintFor } from "./hints.ts";
import { createProgram, type Dispatch } from "./program.ts";
import { type Environment, resolveSettings } from "./settings.ts";

/** What {@link runCli} runs with. */
export interface CliOptions extends CliIo {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  /** Why `argv` is not what the user typed: it was given as bytes that are not UTF-8. */
  readonly argumentProblem?: AshlarError | undefined;
  readonly env: Environment;
  /** Ends a client command with CANCELED, and stops a server in order. Its reason may be an `Interruption`, which has the exit code. */
  readonly signal: AbortSignal;
  /** Called with the title for the process, such as `ashlar node n3`; default: the title is not set. */
  readonly setTitle?: ((title: string) => void) | undefined;
  /** How the program is called, for commands that are shown; default `ashlar`. */
  readonly program?: string | undefined;
}

/**
 * Runs one command line to its end, servers until the signal.
 *
 * @returns the exit code. Never rejects: errors are reported on standard error.
 */
export async function runCli(options: CliOptions): Promise<number> {
  const { argv, env, signal, stderr, stdout } = options;
  const name = options.program ?? "ashlar";
  let exitCode: number = EXIT_CODES.OK.value;
  let hintContext: Parameters<typeof reportError>[1]["context"];
  const debug = argv.includes("--debug");
  const json = argv.includes("--json");
  const dispatch: Dispatch = async (command, args, flags) => {
    assertNotEmpty(command, args);
    assertNoneRefused(command, env);
    const { values, given } = resolveSettings([...command.settings], flags, env);
    hintContext = { command: command.name, args, settings: values, env };
    const output = createOutput(options, { json: values.json });
    const setTitle = (title: string): void => options.setTitle?.(`ashlar ${title}`);
    setTitle(command.name);
    const call = { args, settings: values, given, io: options, output, signal, setTitle, program: name };
    exitCode = (await command.run(call)) ?? 0;
  };
  const program = createProgram({
    name,
    dispatch,
    writeOut: (text) => stdout.write(text),
    writeError: (text) => stderr.write(text),
  });
  try {
    if (options.argumentProblem !== undefined) throw options.argumentProblem;
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT_CODES.USAGE.value;
    }
    assertKnownCommand(program, argv);
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_CODES.OK.value;
    return await reportError(error, { io: options, json, debug, program: name, context: hintContext, signal });
  }
}

/** An empty argument is mostly a variable that was not set, and no file, object or bucket has an empty name. */
function assertNotEmpty(command: Command, args: Parameters<Dispatch>[1]): void {
  for (const [index, { name }] of command.arguments.entries())
    if ([args[index]].flat().includes("")) throw new AshlarError("INVALID_ARGUMENT", `${name} is empty`);
}

/** Refuses `help` for an unknown command: commander would print the help for all. */
function assertKnownCommand(program: Commander, [word, ...names]: readonly string[]): void {
  if (word !== "help") return;
  let group = program;
  for (const name of names.filter((argument) => !argument.startsWith("-"))) {
    const found = group.commands.find((command) => command.name() === name);
    const known = group.commands.map((command) => command.name());
    if (found === undefined && (known.length > 0 || group === program) && name !== "help") {
      const guess = closest(name, known);
      const more = guess === undefined ? "" : `\n(Did you mean ${guess}?)`;
      throw new CommanderError(2, "ashlar.unknownCommand", `error: unknown command '${name}'${more}`);
    }
    if (found === undefined) return;
    group = found;
  }
}

/** What {@link reportError} needs besides the error. */
interface ReportOptions {
  readonly io: CliIo;
  readonly json: boolean;
  /** Stack traces and causes too. */
  readonly debug: boolean;
  /** How the program is called, for the commands in hints. */
  readonly program: string;
  /** What ran; absent if the command line was not understood. */
  readonly context: HintContext | undefined;
  readonly signal: AbortSignal;
}

/**
 * Prints what went wrong and what to do about it, on standard error: lines for people, or one line of JSON.
 *
 * @returns the exit code for the error.
 */
/** A variable that is set in vain would be believed to work. */
function assertNoneRefused({ name: command, refuses = {} }: Command, env: Environment): void {
  for (const [name, instead] of Object.entries(refuses)) {
    const { env: variable = "" }: Setting = SETTINGS[name as SettingName];
    if ((env[variable] ?? "") === "") continue;
    throw new AshlarError("INVALID_ARGUMENT", `${variable} has no effect on \`${command}\`: unset it; ${instead}`, {
      details: { setting: variable },
    });
  }
}

async function reportError(thrown: unknown, options: ReportOptions): Promise<number> {
  if (thrown instanceof CommanderError) return reportUsage(thrown, options);
  const error = AshlarError.from(thrown);
  const interruption: unknown = options.signal.aborted ? options.signal.reason : undefined;
  const exitCode = interruption instanceof Interruption ? interruption.exitCode : exitCodeOf(error.code);
  if (exitCode === EXIT_CODES.BROKEN_PIPE.value) return exitCode;
  const hint = interruption === undefined ? await hintFor(error, options).catch(() => undefined) : undefined;
  const { code, message, details, retryable } = error;
  if (options.json) write(options, jsonText({ error: { code, message, details, retryable, hint, exitCode } }));
  else {
    write(options, `ashlar: ${visibleText(message)} (${code})`);
    if (hint !== undefined) for (const line of hint.split("\n")) write(options, `  ${line}`);
    // The message of an INTERNAL error says only that the server's log has the details.
    if (code === "INTERNAL" && details.requestId !== undefined) write(options, `  request id: ${details.requestId}`);
  }
  if (options.debug) write(options, stackOf(error));
  return exitCode;
}

function reportUsage(error: CommanderError, options: ReportOptions): number {
  const exitCode = EXIT_CODES.USAGE.value;
  // A group without a command has printed its help already.
  if (error.code === "commander.help") return exitCode;
  const [message = "", ...more] = error.message.replace(/^error: /, "").split("\n");
  const guesses = more.map((line) => line.replace(/^\((.*)\)$/, "$1"));
  const hint = [...guesses, `${options.program} help tells more`].join("\n");
  if (options.json) {
    write(options, jsonText({ error: { code: "INVALID_ARGUMENT", message, hint, exitCode } }));
  } else {
    write(options, `ashlar: ${message}`);
    for (const line of hint.split("\n")) write(options, `  ${line}`);
  }
  return exitCode;
}

function stackOf(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by: ${stackOf(error.cause)}` : stack;
}

function write({ io }: ReportOptions, text: string): void {
  io.stderr.write(`${visibleLines(text)}\n`);
}
