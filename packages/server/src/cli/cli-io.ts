import { fstatSync, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../files/file-error.ts";
import { visibleJson, visibleLines, visibleText } from "../observability/control-characters.ts";

/** Standard streams. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined };
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };
  /** Which streams were closed when the program started; default: none. */
  readonly closed?: ClosedStreams | undefined;
}

/**
 * How commands print. Results go to standard output, everything about them to standard error.
 *
 * Control characters are made visible, so that no terminal obeys them. A text of others inside a line also needs `visibleText`, for its line ends.
 */
export interface Output {
  /** Whether results are JSON. */
  readonly json: boolean;
  /** One result: `value` as a line of JSON, or `text` for people. Waits while the reader is slow. */
  result(value: unknown, text: string): Promise<void>;
  /** A line for people on standard error; nothing where results are JSON. */
  note(text: string): void;
}

/** @param options.json results as JSON. */
export function createOutput(io: CliIo, options: { readonly json: boolean }): Output {
  return {
    json: options.json,
    result: (value, text) => writeAll(io.stdout, `${options.json ? jsonText(value) : visibleLines(text)}\n`),
    note: (text) => {
      if (!options.json) io.stderr.write(`${visibleLines(text)}\n`);
    },
  };
}

/** One value as JSON that a terminal may show. */
export function jsonText(value: unknown): string {
  return visibleJson(JSON.stringify(value));
}

/** Writes and waits until the stream wants more. @throws {AshlarError} DISK_FULL if it is a file on a full disk; errors of the stream. */
export function writeAll(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(fileError(error, STANDARD_OUTPUT)) : resolve()));
  });
}

/** Name of the stream in messages. */
export const STANDARD_OUTPUT = "standard output";

/** Which standard streams were closed when the program started. */
export interface ClosedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
}

/**
 * Finds out which streams were closed (`<&-`, `>&-`). In their place Node opens `/dev/null` for both reading and writing. A shell does not do so for
 * `</dev/null` and `>/dev/null`, but some programs do for a child whose streams they discard (`subprocess.DEVNULL`, `stdio: "ignore"`). The two cases
 * look the same, so only commands that need the stream refuse it: `put -` and `get … -`. On systems other than Linux no stream counts as closed.
 */
export function closedStreams(): ClosedStreams {
  return { stdin: isOpenedByNodejs(0), stdout: isOpenedByNodejs(1) };
}

const ACCESS_MODE = 3;
const READ_AND_WRITE = 2;

function isOpenedByNodejs(descriptor: number): boolean {
  try {
    const { rdev, mode } = fstatSync(descriptor);
    const nothing = statSync("/dev/null");
    if (rdev !== nothing.rdev || mode !== nothing.mode) return false;
    const [, flags = "0"] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & ACCESS_MODE) === READ_AND_WRITE;
  } catch {
    return false; // another system
  }
}

/** @param instead how to say that an empty or discarded stream is intended. */
export function closedStream(name: string, instead: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${name} is closed; ${instead}`);
}

/** What {@link confirm} asks with. */
export interface ConfirmCall {
  readonly settings: { readonly yes: boolean };
  readonly io: CliIo;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * Asks on the terminal before something is deleted for good.
 *
 * @param what would be done, such as "delete 3 objects". It states a fact of the store, so that the user sees a typing mistake.
 * @throws {AshlarError} CANCELED if the answer is not yes; INVALID_ARGUMENT where nobody can be asked and --yes was not given.
 */
export async function confirm({ settings, io, output, signal }: ConfirmCall, what: string): Promise<void> {
  if (settings.yes) return;
  const { stdin, stderr } = io;
  if (output.json || stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new AshlarError("INVALID_ARGUMENT", `this would ${what}; if you want that, give --yes`);
  }
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${visibleText(what)}? [y/N] `, { signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new AshlarError("CANCELED", "nothing was deleted");
}
