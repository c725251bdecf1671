import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { Interruption, runCli } from "@ashlar/server/cli";
import { ASHLAR_COMMAND } from "./ashlar-program.ts";

/** How a command line ended. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

export interface CliRunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Uint8Array | Iterable<Uint8Array>;
}

/** A command line that runs. */
export interface RunningCli {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits until standard output matches a pattern. Fails if the command ends before, or after 20 s. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Ends it like a signal, and waits. */
  stop(): Promise<CliResult>;
  /** Settles when it ends. */
  readonly ended: Promise<CliResult>;
}

/** Runs a command line in this process, to its end. */
export function cli(argv: readonly string[], options: CliRunOptions = {}): Promise<CliResult> {
  return startCli(argv, options).ended;
}

/** Runs a command line and reads its result as JSON, one value a line. Fails on another exit code than 0. */
export async function cliJson<Value>(argv: readonly string[], options: CliRunOptions = {}): Promise<Value[]> {
  const result = await cli([...argv, "--json"], options);
  if (result.exitCode !== 0) throw new Error(`${argv.join(" ")} ended with ${result.exitCode}: ${result.stderr}`);
  return jsonLines<Value>(result.stdout);
}

/** Parses one JSON value a line. */
export function jsonLines<Value>(text: string): Value[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Value);
}

/** Starts a command line in this process. */
export function startCli(argv: readonly string[], options: CliRunOptions = {}): RunningCli {
  const controller = new AbortController();
  const [stdout, stderr] = [collect(), collect()];
  const input = options.input ?? "";
  const stdin = Readable.from(
    typeof input === "string" ? [Buffer.from(input)] : input instanceof Uint8Array ? [input] : input,
  );
  const run = runCli({
    argv,
    env: options.env ?? {},
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: controller.signal,
  });
  const ended = run.then((exitCode) => result(exitCode, stdout, stderr));
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    ended,
    until: (pattern) => until(pattern, stdout, ended),
    async stop() {
      controller.abort(new Interruption("interrupted", 130));
      return await ended;
    },
  };
}

/** A command line in a process of its own. */
export interface SpawnedCli extends RunningCli {
  readonly pid: number;
  readonly stdin: NodeJS.WritableStream;
  kill(signal: NodeJS.Signals): void;
  /** Stops reading standard output, as `head` does. */
  closeStdout(): void;
}

/** Starts a command line in a process of its own, by its entry. */
export function spawnCli(argv: readonly string[], options: Pick<CliRunOptions, "env"> = {}): SpawnedCli {
  const [command, ...words] = ASHLAR_COMMAND;
  const child = spawn(command, [...words, ...argv], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const [stdout, stderr] = [collect(), collect()];
  child.stdout.pipe(stdout.stream);
  child.stderr.pipe(stderr.stream);
  child.stdin.on("error", () => {}); // a child that ends early breaks the pipe
  const ended = once(child, "close").then((answer) => {
    const [code, signal] = answer as [number | null, NodeJS.Signals | null];
    if (code === null) throw new Error(`killed by ${signal}: ${stderr.text()}`);
    return result(code, stdout, stderr);
  });
  ended.catch(() => {}); // callers that wait get the error
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: stdout.text,
    stderr: stderr.text,
    ended,
    until: (pattern) => until(pattern, stdout, ended),
    kill: (signal) => void child.kill(signal),
    closeStdout: () => void child.stdout.destroy(),
    async stop() {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

interface Collected {
  readonly stream: PassThrough;
  readonly bytes: () => Buffer;
  readonly text: () => string;
}

function collect(): Collected {
  const stream = new PassThrough();
  const slices: Buffer[] = [];
  stream.on("data", (slice: Buffer) => slices.push(slice));
  const bytes = (): Buffer => Buffer.concat(slices);
  return { stream, bytes, text: () => bytes().toString("utf8") };
}

async function result(exitCode: number, stdout: Collected, stderr: Collected): Promise<CliResult> {
  // What was written last reaches the listeners in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  return { exitCode, stdout: stdout.text(), stdoutBytes: stdout.bytes(), stderr: stderr.text() };
}

async function until(pattern: RegExp, stdout: Collected, ended: Promise<CliResult>): Promise<RegExpMatchArray> {
  let end: CliResult | undefined;
  ended.then(
    (outcome) => {
      end = outcome;
    },
    () => {},
  );
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const match = stdout.text().match(pattern);
    if (match !== null) return match;
    if (end !== undefined) throw new Error(`ended with ${end.exitCode}: ${end.stderr}`);
    if (performance.now() > deadlineMs) throw new Error(`no ${pattern} after 20 s, but: ${stdout.text()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
