import { AshlarError } from "@ashlar/sdk/errors";
import { unknownExpectation } from "./exchange/expectation.ts";
import type { HttpHandler, HttpRequest, RouteInfo } from "./http-handler.ts";
import { problemResponse } from "./problem.ts";
import { REQUEST_CONTEXT } from "./request-context.ts";
import type { RequestLog } from "./request-log.ts";

/**
 * Turns what a handler throws into problem+json and logs what is our fault. Refuses plain HTTP requests above the limit with OVERLOADED, and unknown
 * expectations with 417.
 */
export function guardedHandler(
  handler: HttpHandler,
  options: { readonly routeOf: (request: HttpRequest) => RouteInfo; readonly log: RequestLog },
): HttpHandler {
  return async (request) => {
    const { kind, route } = options.routeOf(request);
    const { requestId } = request;
    const context = request.contextValues?.get(REQUEST_CONTEXT);
    try {
      // An RPC refuses in its own protocol, at its gate.
      const refusal = context?.refusal;
      if (kind === "http" && refusal !== undefined) throw refusal;
      const expectation = unknownExpectation(request);
      if (expectation !== undefined) return problemResponse(expectation, { requestId, status: 417 });
      return await handler(request);
    } catch (error) {
      const response = problemResponse(error, { requestId });
      const isOverload = AshlarError.is(error, "OVERLOADED");
      // If the client left, its leaving may be the reason of the failure.
      const isGone = request.signal?.aborted === true;
      if (response.status >= 500 && !isOverload && !isGone) {
        const fields = { error, requestId, route };
        options.log.write("error", { context: context ?? {}, fields, message: "a request failed" });
      }
      return response;
    }
  };
}
