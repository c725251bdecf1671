import type { RetryPolicy } from "@ashlar/sdk";
import { formatDuration } from "../observability/format.ts";

/** Patience that says so: the first wait of a command is a line on the terminal, so that nobody takes it for stuck. Silent elsewhere. */
export function noticedRetry(
  stderr: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined },
  forMs: number,
): RetryPolicy {
  let told = stderr.isTTY !== true;
  return {
    forMs,
    onRetry({ error, leftMs }) {
      if (told) return;
      told = true;
      const why = error.code === "OVERLOADED" ? "the server is busy" : "the server does not answer";
      stderr.write(`${why}, trying again for ${formatDuration(leftMs)}\n`);
    },
  };
}
