import type { Readable, Writable } from "node:stream";

/** Standard streams. */
export interface CliIo {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined };
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };
}

/** What commands print with. Results go to standard output, everything about them to standard error. */
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
    result: (value, text) => writeAll(io.stdout, `${options.json ? JSON.stringify(value) : text}\n`),
    note: (text) => {
      if (!options.json) io.stderr.write(`${text}\n`);
    },
  };
}

/** Writes and waits until the stream wants more. */
export function writeAll(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
