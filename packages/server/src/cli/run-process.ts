import { readFileSync } from "node:fs";
import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";
import { closedStreams } from "./cli-io.ts";
import { runCli } from "./run-cli.ts";
import { superviseProcess } from "./supervise-process.ts";

/** Node decodes each byte that is not UTF-8 to this character: names that differ only in such bytes become equal. */
const LOST = "\ufffd";

const argv = process.argv.slice(2);
// Before the title of the process changes: that overwrites the arguments.
const problem = argumentProblem(argv);
const supervision = superviseProcess();
const exitCode = await runCli({
  argv,
  argumentProblem: problem,
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  closed: closedStreams(),
  signal: supervision.signal,
  setTitle: (title) => {
    process.title = title;
  },
  // A program that starts this one under another name sets it, for the commands that are shown.
  program: process.env.ASHLAR_PROGRAM,
});
await supervision.exit(exitCode);

/**
 * Why an argument cannot be used as it was typed: keys are UTF-8, and Node loses other bytes before the program sees them.
 *
 * On Linux the kernel has the original bytes, so U+FFFD itself may be typed; elsewhere an argument with it is refused.
 *
 * Call it before the title of the process changes.
 *
 * @param argv arguments after the program's name.
 */
function argumentProblem(
  argv: readonly string[],
  read: () => Uint8Array | undefined = commandLine,
): AshlarError | undefined {
  if (!argv.some((argument) => argument.includes(LOST))) return undefined;
  const raw = read();
  const bytes = raw === undefined ? [] : split(raw).slice(-argv.length);
  const isBroken = (argument: string, index: number): boolean =>
    argument.includes(LOST) && (bytes.length !== argv.length || !isUtf8(bytes[index] ?? new Uint8Array(0)));
  const index = argv.findIndex(isBroken);
  if (index < 0) return undefined;
  const shown = bytes[index] === undefined ? argv[index] : escaped(bytes[index]);
  return new AshlarError("INVALID_ARGUMENT", `argument ${index + 1} is not UTF-8: ${shown}`);
}

function commandLine(): Uint8Array | undefined {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return undefined; // another system
  }
}

/** Each argument ends with a zero byte. */
function split(raw: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < raw.byteLength; ) {
    const end = raw.indexOf(0, from);
    const to = end < 0 ? raw.byteLength : end;
    parts.push(raw.subarray(from, to));
    from = to + 1;
  }
  return parts;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** In the notation of a shell's `$'…'`. */
function escaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}
