import { AshlarError, ERROR_CODES } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { HttpResponse } from "./http-handler.ts";
import { shortened } from "./shortened.ts";

/** Characters of a detail: whole keys fit. */
const DETAIL_MAX: number = LIMITS.KEY_MAX_BYTES;

/** Seconds after which a caller may try a busy server again. */
const RETRY_AFTER_SECONDS = "1";

/**
 * The answer to a failed request: problem+json (RFC 9457) with our code, see docs/wire-protocol.md.
 *
 * @param error anything thrown. What is not an Ashlar error is INTERNAL, and its message stays here.
 * @param options.status another status than the table's, for what only HTTP knows (405).
 */
export function problemResponse(
  error: unknown,
  options: {
    readonly requestId: string;
    readonly status?: number | undefined;
    readonly header?: HeadersInit | undefined;
  },
): HttpResponse {
  const { code, message, details } = withRequestId(publicError(error), options.requestId);
  const status = options.status ?? ERROR_CODES[code].http;
  const header = new Headers(options.header);
  header.set("ashlar-error-code", code);
  if (status === 503 || status === 429) header.set("retry-after", RETRY_AFTER_SECONDS);
  if (status === 401) header.set("www-authenticate", "Bearer");
  // A 304 has no body by definition.
  if (status === 304) return { status, header };
  header.set("content-type", "application/problem+json");
  header.set("cache-control", "no-store");
  const problem = {
    type: "about:blank",
    title: code,
    status,
    detail: message,
    code,
    details,
    requestId: options.requestId,
  };
  return { status, header, body: new TextEncoder().encode(JSON.stringify(problem)) };
}

/**
 * The error as it leaves the server. Its details have the request id, so that whoever catches the error can find the request in the server's log.
 * What the error quotes of the request is cut short.
 */
export function withRequestId(error: AshlarError, requestId: string): AshlarError {
  const { code, message, cause } = error;
  const details: Record<string, string> = {};
  for (const [name, value] of Object.entries(error.details)) details[name] = shortened(value, DETAIL_MAX);
  if (requestId !== "") details.requestId = requestId;
  return new AshlarError(code, shortened(message), { details, cause });
}

/**
 * The error as it may leave the server. A failure that is not an Ashlar error says nothing about our insides. A store that was closed during a
 * request means that the server shuts down, not that the caller made a mistake.
 */
export function publicError(error: unknown): AshlarError {
  const known = AshlarError.from(error);
  if (known.code === "STORE_CLOSED") {
    return new AshlarError("NODE_UNAVAILABLE", "the server is shutting down", {
      cause: error,
      details: known.details,
    });
  }
  if (AshlarError.is(error) || known.code !== "INTERNAL") return known;
  return new AshlarError("INTERNAL", "an unexpected failure; the server's log has it under the request id", {
    cause: error,
  });
}
