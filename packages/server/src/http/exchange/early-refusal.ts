import { systemRandom } from "@ashlar/sdk/ports";
import type { HttpResponse } from "../http-handler.ts";
import { problemResponse } from "../problem.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "../request-id.ts";

/**
 * The answer to a request that reaches no handler. It has a request id like every answer, but a new one: nothing in such a request is trusted.
 *
 * @param error anything thrown.
 * @param status default: that of the error's code.
 */
export function earlyRefusal(error: unknown, status?: number): HttpResponse & { readonly header: Headers } {
  const requestId = requestIdOf(new Headers(), systemRandom);
  const response = problemResponse(error, { requestId, status });
  const header = new Headers(response.header);
  header.set(REQUEST_ID_HEADER, requestId);
  return { ...response, header };
}
