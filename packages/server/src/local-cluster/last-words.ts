import { closeSync, openSync, readSync, statSync } from "node:fs";

const TAIL_BYTES = 8192;
const LONGEST = 500;

/**
 * What a process said last before it ended: the last line of its log, or the message in it where that is JSON.
 *
 * @param from where this run of the process begins in the file.
 */
export function lastWords(log: string, from: number): string | undefined {
  return lastWordsOf(tailOf(log, from));
}

/** The same for text of its log. */
export function lastWordsOf(text: string): string | undefined {
  const lines = text
    .split("\n")
    .map((line) => messageOf(line.trim()))
    .filter((line) => line !== "");
  const told = lines.findLast((line) => /FATAL|ERROR|cannot|error/i.test(line)) ?? lines.at(-1);
  return told === undefined ? undefined : told.slice(0, LONGEST);
}

function tailOf(log: string, from: number): string {
  try {
    const start = Math.max(from, statSync(log).size - TAIL_BYTES);
    const bytes = new Uint8Array(TAIL_BYTES);
    const file = openSync(log, "r");
    try {
      return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes, 0, TAIL_BYTES, start)));
    } finally {
      closeSync(file);
    }
  } catch {
    // Without its log, its last words are not known.
    return "";
  }
}

/** Servers log JSON lines with `msg`, and end with an error as `{"error":{"message":…}}`; PostgreSQL begins each line with a time. */
function messageOf(line: string): string {
  if (!line.startsWith("{")) return line.replace(/^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] /, "");
  try {
    const { msg, error } = JSON.parse(line) as {
      readonly msg?: unknown;
      readonly error?: { readonly message?: unknown };
    };
    const text = error?.message ?? msg;
    return typeof text === "string" ? text : "";
  } catch {
    return line;
  }
}
