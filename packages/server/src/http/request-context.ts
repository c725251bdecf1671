import type { ErrorCode } from "@ashlar/sdk/errors";
import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { HttpRequest } from "./http-handler.ts";

/** What the layers of a server tell each other about one request; RPC handlers reach it as `context.values.get(REQUEST_CONTEXT)`. */
export interface RequestContext {
  readonly requestId: string;
  /** More requests run than allowed: an RPC answers OVERLOADED in its own protocol. */
  readonly overloaded: boolean;
  /** The code of the error that an RPC answered with; its HTTP status does not tell. */
  errorCode?: ErrorCode | undefined;
}

const NONE: RequestContext = Object.freeze({ requestId: "", overloaded: false });

/** The request's context; an empty, frozen one where a handler runs without our HTTP layers (in-process transport). */
export const REQUEST_CONTEXT: ContextKey<RequestContext> = createContextKey<RequestContext>(NONE, {
  description: "ashlar request",
});

/** Puts a context where RPC handlers find it. */
export function withRequestContext(request: HttpRequest, context: RequestContext): HttpRequest {
  const contextValues: ContextValues = (request.contextValues ?? createContextValues()).set(REQUEST_CONTEXT, context);
  return { ...request, requestId: context.requestId, contextValues };
}

/** Notes how an RPC failed, for logs and metrics. */
export function noteErrorCode(values: ContextValues, code: ErrorCode): void {
  const context = values.get(REQUEST_CONTEXT);
  if (context !== NONE) context.errorCode = code;
}
