import { AshlarError } from "../errors/index.ts";

/**
 * Codes that the system (ECONNREFUSED), undici and Node's HTTP/2 use for a server that cannot be reached or went away. Other codes of the same
 * families mean a bug (ERR_INVALID_URL, UND_ERR_INVALID_ARG, ERR_HTTP2_INVALID_HEADER_VALUE) and are left out on purpose.
 */
const NETWORK_CODE = /^(E[A-Z]+|EAI_[A-Z]+|UND_ERR_(SOCKET|CLOSED|DESTROYED|[A-Z]+_TIMEOUT))$/;
const NODEJS_CODE = /^ERR_(SOCKET|STREAM|HTTP2_(GOAWAY|INVALID_S|SESSION|STREAM|PING))/;

/** Messages of fetch in Node ("fetch failed", "terminated"), Chromium, Firefox and Safari; there is no code. */
const FETCH_FAILURE = /^(fetch failed|terminated|failed to fetch|load failed|network ?error)/i;

/** Codes of Node's HTTP/2 and undici for bytes that are not their protocol, and the text of grpc-js, which keeps only the text of a cause. */
const OTHER_PROTOCOL = /^(ERR_HTTP2_ERROR|HTTPParserError)$|Last error: Protocol error/;

/** Codes of OpenSSL and Node for a failed handshake or certificate, and their texts, because grpc-js keeps only the text of a cause. */
const TLS_FAILURE =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_(SSL|TLS)_)|:SSL routines:|certificate|unable to get (local )?issuer/;

/** What to do about a failed TLS handshake; `undefined` for any other error. One short text for all cases, because pages load it too. */
export function tlsProblem(error: unknown): string | undefined {
  if (!hasCause(error, ({ message }, code) => TLS_FAILURE.test(code) || TLS_FAILURE.test(message))) return undefined;
  return "TLS failed: use http:// if the port has no TLS, or give its `ca` (NODE_EXTRA_CA_CERTS)";
}

/** Whether an error, or a cause of it, means that the other side cannot be reached or went away. */
export function isNetworkError(error: unknown): boolean {
  return hasCause(error, (cause, code) => NETWORK_CODE.test(code) || NODEJS_CODE.test(code) || isFetchFailure(cause));
}

/** Whether the other side does not speak the HTTP version of the request. Browsers do not report that. */
export function isOtherProtocol(error: unknown): boolean {
  return hasCause(error, ({ name, message }, code) => [name, code, message].some((text) => OTHER_PROTOCOL.test(text)));
}

function isFetchFailure(error: Error): boolean {
  return error instanceof TypeError && FETCH_FAILURE.test(error.message);
}

/** @param test called with the error and each of its causes, and with the code of each ("" if it has none). */
function hasCause(error: unknown, test: (cause: Error, code: string) => boolean): boolean {
  let current = error;
  // Causes may form a ring; ten levels are more than any library stacks.
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (test(current, "code" in current ? String(current.code) : "")) return true;
    current = current.cause;
  }
  return false;
}

/** The Ashlar error for anything that a transport threw: NODE_UNAVAILABLE for a failure of network or TLS, else as {@link AshlarError.from}. */
export function fromNetworkError(error: unknown): AshlarError {
  if (AshlarError.is(error)) return error;
  const message =
    tlsProblem(error) ?? (isNetworkError(error) ? "the server cannot be reached or went away" : undefined);
  if (message !== undefined) return new AshlarError("NODE_UNAVAILABLE", message, { cause: error });
  return AshlarError.from(error);
}
