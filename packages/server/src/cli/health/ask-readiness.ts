import { AshlarError } from "@ashlar/sdk/errors";

/** What a server answers under `/readyz`. */
export interface ReadyAnswer {
  readonly ready: boolean;
  /** Its dependencies by name, each with its state in a word or two. */
  readonly checks: Readonly<Record<string, string>>;
  /** What time the server has, in ms since the Unix epoch, cut to the second. */
  readonly dateMs?: number | undefined;
}

/**
 * Asks a server whether it and its dependencies are ready. Needs no credentials.
 *
 * @param url base URL without a trailing slash.
 * @param options.signal the caller's own: its abort rejects.
 * @returns the answer, or why there is none.
 */
export async function askReadiness(
  url: string,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<ReadyAnswer | string> {
  const { signal, limitMs } = options;
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]) });
    const body = (await response.json()) as Partial<ReadyAnswer>;
    if (typeof body.ready !== "boolean") return "it is no Ashlar server";
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    return { ready: body.ready, checks: body.checks ?? {}, dateMs: Number.isNaN(dateMs) ? undefined : dateMs };
  } catch (error) {
    if (signal.aborted) throw AshlarError.from(signal.reason);
    if (error instanceof SyntaxError) return "it is no Ashlar server";
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return cause instanceof Error ? cause.message || cause.name : "no answer";
  }
}
