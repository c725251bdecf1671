import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createMetrics } from "../../observability/index.ts";
import type { HttpHandler } from "../http-handler.ts";
import { createServerHandlers, type ServerHandlerOptions, type ServerHandlers } from "../server-handler.ts";
import { createServingState } from "../serving-state.ts";

/**
 * All handlers of a server with one route, `/things/`, in addition to health, metrics and reflection. It is ready, logs nothing and uses the system's
 * clock, unless the options say otherwise.
 */
export function thingsHandlers(handler: HttpHandler, options: Partial<ServerHandlerOptions> = {}): ServerHandlers {
  return createServerHandlers({
    rpcRoutes: [],
    httpRoutes: [{ path: "/things/", name: "things", handler }],
    serving: createServingState("serving"),
    readiness: async () => ({ ready: true, checks: {} }),
    logger: silentLogger,
    metrics: createMetrics(),
    clock: systemClock,
    random: systemRandom,
    ...options,
  });
}
