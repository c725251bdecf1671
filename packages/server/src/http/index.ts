/** HTTP without a framework: one port, both protocols, handlers as functions. For those who embed a server or add routes to one. */
export type { HttpHandler, HttpRequest, HttpResponse } from "./http-handler.ts";
export { HTTP_LIMITS } from "./http-limits.ts";
export {
  createHttpListener,
  type HttpListener,
  type HttpListenerOptions,
  type ListenAddress,
  type TlsOptions,
} from "./listener.ts";
