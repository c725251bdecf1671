import { AshlarError } from "@ashlar/sdk/errors";
import { CommanderError } from "commander";
import { visibleLines, visibleText } from "../observability/control-characters.ts";
import { type CliIo, jsonText } from "./cli-io.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { type HintContext, hintFor } from "./hints.ts";
import { Interruption } from "./interruption.ts";

/** What {@link reportError} needs beside the error. */
export interface ReportOptions {
  readonly io: CliIo;
  readonly json: boolean;
  /** Stack traces and causes too. */
  readonly debug: boolean;
  /** How it is called, for the commands in hints. */
  readonly program: string;
  /** What ran; absent if the command line was not understood. */
  readonly context: HintContext | undefined;
  readonly signal: AbortSignal;
}

/**
 * Tells what went wrong and what to do about it, on standard error: lines for people, or one line of JSON.
 *
 * @returns the exit code that belongs to it.
 */
export async function reportError(thrown: unknown, options: ReportOptions): Promise<number> {
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
    // The message of an INTERNAL error only says that the server's log knows more.
    if (code === "INTERNAL" && details.requestId !== undefined) write(options, `  request id: ${details.requestId}`);
  }
  if (options.debug) write(options, stackOf(error));
  return exitCode;
}

function reportUsage(error: CommanderError, options: ReportOptions): number {
  const exitCode = EXIT_CODES.USAGE.value;
  // Help that was asked for by leaving everything out is on the screen already.
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
