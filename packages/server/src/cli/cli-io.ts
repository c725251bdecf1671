import type { Readable, Writable } from "node:stream";
import { fileError } from "../files/file-error.ts";
import { visibleJson, visibleLines } from "../observability/control-characters.ts";
import type { ClosedStreams } from "./standard-streams.ts";

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
