import { AshlarError } from "../errors/index.ts";

/** For each of two small requests to a server that has just failed to answer. */
const PROBE_TIMEOUT_MS = 3000;

/**
 * Tells a page why its request to another origin failed. A browser says the same of a server that is down and of one that is there and lets
 * no page of this origin in; only the second answers a request without CORS and none with it.
 *
 * @returns PERMISSION_DENIED with the origin and the server's flag, which no retry changes; else `error`.
 */
export async function orCorsRefusal(error: AshlarError, url: string): Promise<AshlarError> {
  const { origin } = globalThis.location;
  if (new URL(url).origin === origin) return error;
  const answers = (mode: RequestMode): Promise<boolean> =>
    fetch(`${url}/`, { mode, cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
      () => true,
      () => false,
    );
  if ((await answers("cors")) || !(await answers("no-cors"))) return error;
  return new AshlarError(
    "PERMISSION_DENIED",
    `the server at ${url} is there, but lets no page of ${origin} in: start it with --cors-origins ${origin}`,
    { cause: error, details: { url, origin } },
  );
}
