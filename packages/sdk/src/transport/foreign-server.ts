import { AshlarError, type ErrorCode } from "../errors/index.ts";
import { withRetryAfter } from "../internal/retry-after.ts";
import type { HttpResponse } from "./http-exchange.ts";

/** Every answer of our servers has this header, in all protocols; pages can read it (docs/wire-protocol.md). No other server sends it. */
const OUR_HEADER = "ashlar-request-id";

/** `details.reason` of the error: UNSUPPORTED has other reasons too. */
const NOT_ASHLAR = "NOT_ASHLAR";

/** Answers that proxies send themselves; behind the proxy there may be a server of ours. */
const OF_PROXIES: Readonly<Record<number, ErrorCode>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  413: "OBJECT_TOO_LARGE",
  429: "OVERLOADED",
  502: "NODE_UNAVAILABLE",
  503: "NODE_UNAVAILABLE",
  504: "NODE_UNAVAILABLE",
};

/** Status and headers of an answer, which show whether the server is ours. */
export type AnswerHead = Pick<HttpResponse, "status" | "header">;

/**
 * Checks whether an answer is from one of our servers, before its body is used. All transports do this.
 *
 * @returns `undefined` if the server is ours. For a proxy NODE_UNAVAILABLE (502 to 504), OVERLOADED, OBJECT_TOO_LARGE, UNAUTHENTICATED or
 *   PERMISSION_DENIED. UNSUPPORTED, which is not retried, for anything else, redirects included.
 */
export function foreignAnswer(answer: AnswerHead, url: string): AshlarError | undefined {
  if (answer.header(OUR_HEADER)) return undefined;
  const { status } = answer;
  return OF_PROXIES[status] ? errorOfStatus(answer) : foreignServer(url);
}

/** The error for an answer that has only a status. */
export function errorOfStatus(answer: AnswerHead): AshlarError {
  const { status } = answer;
  const error = new AshlarError(OF_PROXIES[status] ?? "INTERNAL", `the server answered ${status}`, {
    details: { httpStatus: String(status) },
  });
  return withRetryAfter(error, (name) => answer.header(name));
}

/** The error for an address where another server listens. @param cause the error that showed it, if there was one. */
export function foreignServer(url: string, cause?: unknown): AshlarError {
  return new AshlarError("UNSUPPORTED", `the server at ${url} is no Ashlar server`, {
    cause,
    details: { url, reason: NOT_ASHLAR },
  });
}

/** A call of the standard health service, which needs no key: the smallest question that every server of ours answers. */
export const HEALTH_CHECK_PATH = "/grpc.health.v1.Health/Check";

/** Whatever answers is alive, also where it refuses the question. @throws {AshlarError} NODE_UNAVAILABLE if a proxy says that the server is away. */
export function expectSignOfLife(answer: AnswerHead, url: string): void {
  const foreign = foreignAnswer(answer, url);
  if (foreign?.code === "NODE_UNAVAILABLE") throw foreign;
}
