/** HTTP without a framework: one port, both protocols, handlers as functions. For those who embed a server or add routes to one. */

export type { Caller } from "./bounds/admission.ts";
export { HTTP_LIMITS } from "./bounds/http-limits.ts";
export { contentRange, parseByteRange } from "./byte-range.ts";
export { namesEntityTag } from "./conditions.ts";
export {
  createHttpListener,
  type HttpListener,
  type HttpListenerOptions,
  type ListenAddress,
} from "./connection/listener.ts";
export type { TlsOptions } from "./connection/tls.ts";
export type { CorsOptions } from "./cors.ts";
export type { Descriptors } from "./descriptors.ts";
export { type FetchHandler, toFetchHandler } from "./fetch-handler.ts";
export type { CheckState, CheckWord, Readiness } from "./health-routes.ts";
export type { HttpHandler, HttpRequest, HttpResponse } from "./http-handler.ts";
export { jsonResponse } from "./json-response.ts";
export { methodNotAllowed } from "./method-not-allowed.ts";
export { problemResponse } from "./problem.ts";
export { trustCaller } from "./request-context.ts";
export type { HttpRoute } from "./router.ts";
export type { RpcGate, RpcOptionSource, RpcOptions, RpcRoutes } from "./rpc/rpc-handlers.ts";
export { createServerHandlers, type ServerHandlerOptions, type ServerHandlers } from "./server-handler.ts";
export { createServerPorts, type ServerAddress, type ServerPorts } from "./server-ports.ts";
export { createServingState, type ServingState, type ServingStatus } from "./serving-state.ts";
