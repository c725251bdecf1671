import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpHandler, HttpRequest, ResolvedRoute } from "./http-handler.ts";
import { problemResponse } from "./problem.ts";
import type { BoundedHandler } from "./rpc/bounded-handler.ts";

/** A plain HTTP API under a path. */
export interface HttpRoute {
  /** `/chunks/` takes everything below; `/objects` takes exactly itself. */
  readonly path: string;
  /** Name in metrics and logs. */
  readonly name: string;
  readonly handler: HttpHandler;
  /** The most of a request's body that the handler holds at once, in bytes; default: at most BYTES_FREE. */
  readonly heldMaxBytes?: number | undefined;
}

/** Finds the handler of a request: an RPC by its exact path, else the HTTP route with the longest matching path, else 404. */
export type HttpRouter = (request: Pick<HttpRequest, "path">) => ResolvedRoute;

const NOBODY: ResolvedRoute = Object.freeze({
  ...{ route: "unknown", kind: "http", heldMaxBytes: 0 },
  async answer({ requestId }: HttpRequest) {
    const error = new AshlarError("UNSUPPORTED", "there is nothing under this path");
    return problemResponse(error, { requestId, status: 404 });
  },
});

/** @param options.httpRoutes tried longest path first. */
export function createHttpRouter(options: {
  readonly rpcHandlers: readonly BoundedHandler[];
  readonly httpRoutes: readonly HttpRoute[];
}): HttpRouter {
  const rpcs = new Map<string, ResolvedRoute>();
  for (const rpc of options.rpcHandlers) {
    const { requestPath: route, heldMaxBytes } = rpc;
    rpcs.set(route, { route, kind: "rpc", heldMaxBytes, answer: async (request) => await rpc(request) });
  }
  const routes = options.httpRoutes
    .map(({ path, name, handler, heldMaxBytes = 0 }): ResolvedRoute & { readonly path: string } => ({
      ...{ path, route: name, kind: "http", heldMaxBytes, answer: handler },
    }))
    .sort((a, b) => b.path.length - a.path.length);
  return ({ path }) => rpcs.get(path) ?? routes.find((route) => matches(route, path)) ?? NOBODY;
}

function matches(route: { readonly path: string }, path: string): boolean {
  return route.path.endsWith("/") ? path.startsWith(route.path) : path === route.path;
}
