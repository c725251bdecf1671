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
  /** Streams that lead nowhere, because they were closed at the start; default: none. */
  readonly closed?: ClosedStreams | undefined;
}

/**
 * What commands print with. Results go to standard output, everything about them to standard error.
 *
 * Nothing that a terminal would obey passes. Text of others within a line needs `visibleText` besides, which takes its line ends too.
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

/** Writes and waits until the stream wants more. @throws {AshlarError} DISK_FULL where it leads to a file that is full; errors of the stream. */
export function writeAll(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(fileError(error, STANDARD_OUTPUT)) : resolve()));
  });
}

/** How messages name it. */
export const STANDARD_OUTPUT = "standard output";

/** Standard streams that whoever started the program left closed. */
export interface ClosedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
}

/**
 * Finds out which streams were closed (`<&-`, `>&-`). Node opens `/dev/null` in their place, for reading and writing, as no shell does for `</dev/null` and
 * `>/dev/null`. Some programs do, for a child whose streams they discard (`subprocess.DEVNULL`, `stdio: "ignore"`): the two cannot be told apart, so only
 * commands whose very point is the stream refuse it, `put -` and `get … -`. Elsewhere than on Linux nobody can tell.
 */
export function closedStreams(): ClosedStreams {
  return { stdin: isOpenedByNode(0), stdout: isOpenedByNode(1) };
}

const ACCESS_MODE = 3;
const READ_AND_WRITE = 2;

function isOpenedByNode(descriptor: number): boolean {
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

/** @param instead how nothing is meant. */
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
 * Asks on the terminal before something is deleted that nobody can bring back.
 *
 * @param what would be done, as "delete 3 objects"; a fact of the store, so that whoever mistyped sees it.
 * @throws {AshlarError} CANCELED if the answer is not yes; INVALID_ARGUMENT where nobody can be asked and --yes was not given.
 */
export async function confirm({ settings, io, output, signal }: ConfirmCall, what: string): Promise<void> {
  if (settings.yes) return;
  const { stdin, stderr } = io;
  if (output.json || stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new AshlarError("INVALID_ARGUMENT", `this would ${what}; if that is meant, say --yes`);
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
