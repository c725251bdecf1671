import type { Metrics } from "../observability/metrics.ts";
import type { HttpHandler, HttpResponse } from "./http-handler.ts";
import { jsonResponse } from "./json-response.ts";

/** Whether a server's dependencies answer. */
export interface Readiness {
  readonly ready: boolean;
  /** Dependency → state, in words; shown to operators. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Options of {@link operationRoutes}. */
export interface OperationOptions {
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: Metrics;
}

/**
 * What load balancers and monitoring ask: `/healthz` (the process answers), `/readyz` (its dependencies do, else 503), `/metrics`. Exact paths.
 * They are open, and are answered under overload too.
 */
export function operationRoutes({ readiness, metrics }: OperationOptions): ReadonlyMap<string, HttpHandler> {
  const guarded = (answer: () => Promise<HttpResponse>): HttpHandler => {
    return async (request) =>
      request.method === "GET" || request.method === "HEAD"
        ? await answer()
        : { status: 405, header: new Headers({ allow: "GET, HEAD" }) };
  };
  return new Map<string, HttpHandler>([
    ["/healthz", guarded(async () => jsonResponse(200, { status: "alive" }, { "cache-control": "no-store" }))],
    [
      "/readyz",
      guarded(async () => {
        const { ready, checks } = await readiness();
        return jsonResponse(ready ? 200 : 503, { ready, checks }, { "cache-control": "no-store" });
      }),
    ],
    [
      "/metrics",
      guarded(async () => {
        const { contentType, text } = await metrics.render();
        const header = new Headers({ "content-type": contentType, "cache-control": "no-store" });
        return { status: 200, header, body: new TextEncoder().encode(text) };
      }),
    ],
  ]);
}
