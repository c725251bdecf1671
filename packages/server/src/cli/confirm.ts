import { createInterface } from "node:readline/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../observability/control-characters.ts";
import type { CliIo, Output } from "./cli-io.ts";

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
