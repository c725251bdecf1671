import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createMetrics } from "../../observability/index.ts";
import type { HttpHandler } from "../http-handler.ts";
import { createServerHandlers, type ServerHandlerOptions, type ServerHandlers } from "../server-handler.ts";
import { createServingState } from "../serving-state.ts";

/**
 * Whole handlers of a server that has one route, `/things/`, beside health, metrics and reflection: ready, silent and by the system's clock, unless
 * the options say otherwise.
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
