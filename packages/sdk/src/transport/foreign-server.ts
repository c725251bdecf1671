import { AshlarError, type ErrorCode } from "../errors/index.ts";
import { withRetryAfter } from "../internal/retry-after.ts";
import type { HttpResponse } from "./http-exchange.ts";

/** On every answer of our servers, whatever its protocol and status, and shown to pages (docs/wire-protocol.md). No other server has it. */
const OUR_HEADER = "ashlar-request-id";

/** `details.reason` of the error: UNSUPPORTED has other ones too. */
const NOT_ASHLAR = "NOT_ASHLAR";

/** What proxies say for themselves; behind them there may be a server of ours. */
const OF_PROXIES: Readonly<Record<number, ErrorCode>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  413: "OBJECT_TOO_LARGE",
  429: "OVERLOADED",
  502: "NODE_UNAVAILABLE",
  503: "NODE_UNAVAILABLE",
  504: "NODE_UNAVAILABLE",
};

/** The head of an answer: all that tells whose it is. */
export type AnswerHead = Pick<HttpResponse, "status" | "header">;

/**
 * Whose answer this is, before anything of its body is believed: the same for all transports.
 *
 * @returns `undefined` for one of ours. Of a proxy NODE_UNAVAILABLE (502 to 504), OVERLOADED, OBJECT_TOO_LARGE, UNAUTHENTICATED or PERMISSION_DENIED;
 *   UNSUPPORTED for anything else, a redirect too, which no wait and no other try changes.
 */
export function foreignAnswer(answer: AnswerHead, url: string): AshlarError | undefined {
  if (answer.header(OUR_HEADER)) return undefined;
  const { status } = answer;
  return OF_PROXIES[status] ? errorOfStatus(answer) : foreignServer(url);
}

/** The error of an answer that says no more than its status. */
export function errorOfStatus(answer: AnswerHead): AshlarError {
  const { status } = answer;
  const error = new AshlarError(OF_PROXIES[status] ?? "INTERNAL", `the server answered ${status}`, {
    details: { httpStatus: String(status) },
  });
  return withRetryAfter(error, (name) => answer.header(name));
}

/** The error of an address where no server of ours is. @param cause what shows it, where it is an error. */
export function foreignServer(url: string, cause?: unknown): AshlarError {
  return new AshlarError("UNSUPPORTED", `the server at ${url} is no Ashlar server`, {
    cause,
    details: { url, reason: NOT_ASHLAR },
  });
}
