import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../files/file-error.ts";
import { visibleLines } from "../observability/control-characters.ts";
import { STANDARD_OUTPUT } from "./cli-io.ts";
import { EXIT_CODES, exitCodeOf, Interruption } from "./exit-codes.ts";

/** The process around a command line. */
export interface ProcessSupervision {
  /**
   * Aborted with an {@link Interruption} by SIGINT, SIGTERM, SIGHUP and when the reader of standard output goes away; with DISK_FULL if standard
   * output is a file on a full disk.
   */
  readonly signal: AbortSignal;
  /** Ends the process after everything printed is written. */
  exit(exitCode: number): Promise<never>;
}

/**
 * A signal to the whole process group arrives twice if a parent such as npm passes it on. The same signal within this time after the first is not a
 * second one.
 */
const SAME_SIGNAL_MS = 500;

/**
 * Turns signals into an abort; a second one ends the process at once.
 *
 * Hides the arguments from other users of the machine: an API key may be among them.
 */
export function superviseProcess(): ProcessSupervision {
  process.title = "ashlar";
  const controller = new AbortController();
  let outputError: AshlarError | undefined;
  const lastMs = new Map<NodeJS.Signals, number>();
  const onSignal = (name: NodeJS.Signals): void => {
    const { value } = name === "SIGINT" ? EXIT_CODES.INTERRUPTED : EXIT_CODES.TERMINATED;
    const nowMs = performance.now();
    const isEcho = nowMs - (lastMs.get(name) ?? Number.NEGATIVE_INFINITY) < SAME_SIGNAL_MS;
    if (isEcho) return;
    lastMs.set(name, nowMs);
    if (controller.signal.aborted) process.exit(value);
    controller.abort(new Interruption("interrupted", value));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // The terminal was closed.
  process.on("SIGHUP", onSignal);
  process.on("uncaughtException", crash);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    const isGone = error.code === "EPIPE";
    outputError ??= isGone
      ? new Interruption("the reader of standard output went away", EXIT_CODES.BROKEN_PIPE.value)
      : AshlarError.from(fileError(error, STANDARD_OUTPUT));
    controller.abort(outputError);
  });
  // There is nobody left to report this to.
  process.stderr.on("error", () => {});
  return {
    signal: controller.signal,
    async exit(exitCode) {
      await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
      // An error of output that nothing waited for, such as the help, has not been reported yet.
      const isReported = exitCode !== EXIT_CODES.OK.value || outputError instanceof Interruption;
      if (outputError === undefined || isReported) process.exit(exitCode);
      process.stderr.write(`ashlar: ${outputError.message} (${outputError.code})\n`);
      process.exit(exitCodeOf(outputError.code));
    },
  };
}

/** A bug: prints one line, and the stack with --debug. */
function crash(error: unknown): never {
  const { message, stack } = error instanceof Error ? error : new Error("a value that is not an Error was thrown");
  const detail = process.argv.includes("--debug") ? `\n${stack}` : "; --debug shows more";
  process.stderr.write(visibleLines(`ashlar: this should not have happened: ${message}${detail}\n`));
  process.exit(EXIT_CODES.ERROR.value);
}

/** Resolves when the operating system has everything that was written, or cannot get it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write("", () => resolve());
  });
}
