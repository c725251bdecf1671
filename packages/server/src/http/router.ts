import { AshlarError } from "@ashlar/sdk/errors";
import type { BoundedHandler } from "./bounded-handler.ts";
import type { HttpHandler, HttpRequest } from "./http-handler.ts";
import type { RouteInfo } from "./observed-handler.ts";
import { problemResponse } from "./problem.ts";

/** A plain HTTP face under a path. */
export interface HttpRoute {
  /** `/chunks/` takes everything below; `/objects` takes exactly itself. */
  readonly path: string;
  /** Name in metrics and logs. */
  readonly name: string;
  readonly handler: HttpHandler;
  /** The most of a request's body that the handler holds at once, in bytes; default: at most BYTES_FREE. */
  readonly heldMaxBytes?: number | undefined;
}

/** Finds who answers a request: an RPC by its exact path, else the HTTP route with the longest matching path, else 404. */
export interface HttpRouter {
  readonly handler: HttpHandler;
  readonly routeOf: (request: HttpRequest) => RouteInfo;
  /** The most of a request's body that its handler holds at once, in bytes. */
  readonly heldMaxBytes: (request: HttpRequest) => number;
}

const UNKNOWN: RouteInfo = Object.freeze({ route: "unknown", kind: "http" });

/** @param options.httpRoutes tried longest path first. */
export function createHttpRouter(options: {
  readonly rpcHandlers: readonly BoundedHandler[];
  readonly httpRoutes: readonly HttpRoute[];
}): HttpRouter {
  const rpcs = new Map(options.rpcHandlers.map((handler) => [handler.requestPath, handler]));
  const routes = [...options.httpRoutes].sort((a, b) => b.path.length - a.path.length);
  const find = (path: string): HttpRoute | undefined => routes.find((route) => matches(route, path));
  return {
    routeOf(request) {
      if (rpcs.has(request.path)) return { route: request.path, kind: "rpc" };
      const route = find(request.path);
      return route === undefined ? UNKNOWN : { route: route.name, kind: "http" };
    },
    heldMaxBytes: (request) => (rpcs.get(request.path) ?? find(request.path))?.heldMaxBytes ?? 0,
    async handler(request) {
      const rpc = rpcs.get(request.path);
      if (rpc !== undefined) return await rpc(request);
      const route = find(request.path);
      if (route !== undefined) return await route.handler(request);
      const error = new AshlarError("UNSUPPORTED", "there is nothing under this path");
      return problemResponse(error, { requestId: request.requestId, status: 404 });
    },
  };
}

function matches(route: HttpRoute, path: string): boolean {
  return route.path.endsWith("/") ? path.startsWith(route.path) : path === route.path;
}
