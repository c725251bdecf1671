import { AshlarError } from "../errors/index.ts";

/**
 * Names that the system (ECONNREFUSED), undici and Node's HTTP/2 give to a server that cannot be reached or went away. Others of the same
 * families mean a bug (ERR_INVALID_URL, UND_ERR_INVALID_ARG, ERR_HTTP2_INVALID_HEADER_VALUE) and are left out on purpose.
 */
const NETWORK_CODE =
  /^(E[A-Z]+|EAI_\w+|UND_ERR_(SOCKET|CLOSED|DESTROYED|\w+_TIMEOUT)|ERR_(SOCKET|STREAM|HTTP2_(GOAWAY|INVALID_S|SESSION|STREAM|PING))\w+)$/;

/** What fetch says in Node ("fetch failed", "terminated"), Chromium, Firefox and Safari; it has no code for it. */
const FETCH_FAILURE = /^(fetch failed|terminated|failed to fetch|networkerror|load failed|network error)/i;

/** Whether an error, or a cause of it, tells that the other side cannot be reached or went away. */
export function isNetworkError(error: unknown): boolean {
  let current = error;
  // Causes may form a ring; ten levels are more than any library stacks.
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string" && NETWORK_CODE.test(current.code)) return true;
    if (current instanceof TypeError && FETCH_FAILURE.test(current.message)) return true;
    current = current.cause;
  }
  return false;
}

/** An Ashlar error from whatever a transport threw: NODE_UNAVAILABLE for a network failure, else as {@link AshlarError.from}. */
export function fromNetworkError(error: unknown): AshlarError {
  if (!AshlarError.is(error) && isNetworkError(error)) {
    return new AshlarError("NODE_UNAVAILABLE", "the server cannot be reached or went away", { cause: error });
  }
  return AshlarError.from(error);
}
