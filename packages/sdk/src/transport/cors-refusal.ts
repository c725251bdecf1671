import { AshlarError } from "../errors/index.ts";

/** For each of the two small requests to a server that has just failed to answer. */
const PROBE_TIMEOUT_MS = 3000;

/**
 * Finds out why a page's request to another origin failed. Browsers report the same error for a server that is down and for one that does not
 * allow pages of this origin. Only the second answers a request without CORS, but none with CORS.
 *
 * @returns PERMISSION_DENIED, which is not retried, with the origin and the server's flag; else `error`.
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
