import { AshlarError } from "@ashlar/sdk/errors";
import { type Clock, guardedLogger, guardedTracer, type Logger, type Random, type Tracer } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import { createAdmission } from "./bounds/admission.ts";
import { budgetedHandler } from "./bounds/budgeted-handler.ts";
import { createByteBudget } from "./bounds/byte-budget.ts";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { type CorsOptions, corsHandler } from "./cors.ts";
import { createRefusalLog } from "./cors-refusals.ts";
import type { Descriptors } from "./descriptors.ts";
import { guardedHandler } from "./guarded-handler.ts";
import { operationRoutes, type Readiness } from "./health-routes.ts";
import type { HttpHandler, HttpRequest, ResolvedRoute } from "./http-handler.ts";
import { observedHandler } from "./observed-handler.ts";
import { problemResponse } from "./problem.ts";
import { REQUEST_CONTEXT } from "./request-context.ts";
import { createRequestLog } from "./request-log.ts";
import { createHttpRouter, type HttpRoute } from "./router.ts";
import { healthRoutes } from "./rpc/health-service.ts";
import { reflectionRoutes } from "./rpc/reflection-service.ts";
import { createRpcHandlers, type RpcRoutes } from "./rpc/rpc-handlers.ts";
import type { ServingState } from "./serving-state.ts";

/** Options of {@link createServerHandlers}. */
export interface ServerHandlerOptions {
  readonly rpcRoutes: readonly RpcRoutes[];
  readonly httpRoutes: readonly HttpRoute[];
  /** What `grpc.health.v1` and load balancers are told. */
  readonly serving: ServingState;
  readonly readiness: () => Promise<Readiness>;
  readonly requestsInFlightMax?: number | undefined;
  /** Bytes of request bodies held at once, and as many of answers; default BYTES_IN_FLIGHT_MAX. */
  readonly bytesInFlightMax?: number | undefined;
  /** Health, metrics and reflection are answered by {@link ServerHandlers.operations} alone; default false: by both. */
  readonly operationsApart?: boolean | undefined;
  /** What `/readyz` tells of them; default: nothing. */
  readonly descriptors?: Descriptors | undefined;
  readonly cors?: CorsOptions | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default: no spans. */
  readonly tracer?: Tracer | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a server answers, by port. */
export interface ServerHandlers {
  readonly handler: HttpHandler;
  /** Health, metrics and reflection, and nothing else. */
  readonly operations: HttpHandler;
}

/**
 * Puts a whole server together: RPCs with health and reflection, plain HTTP APIs, operations, and around them request ids, CORS, overload
 * protection, logs and metrics.
 */
export function createServerHandlers(options: ServerHandlerOptions): ServerHandlers {
  const { metrics, clock, random, requestsInFlightMax } = options;
  const logger = guardedLogger(options.logger);
  const tracer = guardedTracer(options.tracer);
  const log = createRequestLog(logger, clock);
  const services = createRpcHandlers(options.rpcRoutes, { log });
  const described = [...new Set(services.map((handler) => handler.service))];
  const standard = createRpcHandlers([healthRoutes(options.serving, described), reflectionRoutes(described)], { log });
  const resolve = createHttpRouter({ rpcHandlers: [...services, ...standard], httpRoutes: options.httpRoutes });
  const routeOf = (request: HttpRequest): ResolvedRoute => request.route ?? resolve(request);
  const admission = createAdmission({ requestsInFlightMax, metrics, clock });
  const maxBytes = options.bytesInFlightMax ?? HTTP_LIMITS.BYTES_IN_FLIGHT_MAX.value;
  const budget = createByteBudget({ maxBytes, clock });
  const answers = createByteBudget({ maxBytes, of: "answers", clock });
  const budgeted = budgetedHandler((request) => routeOf(request).answer(request), {
    budget,
    heldMaxBytes: (request) => routeOf(request).heldMaxBytes,
    holderOf: ({ exchange, contextValues }) => ({
      ...exchange?.peer,
      ...contextValues?.get(REQUEST_CONTEXT).caller,
    }),
  });
  const guarded = guardedHandler(budgeted, { routeOf, log });
  const crowding = (): number => Math.max(admission.crowding(), budget.crowding(), answers.crowding());
  const observing = { routeOf, admission, answers, crowding, log, metrics, tracer, clock, random };
  const refusals = createRefusalLog(logger, clock);
  const withCors = (inner: HttpHandler): HttpHandler => corsHandler(inner, options.cors, refusals);
  const observed = observedHandler(withCors(guarded), observing);
  // Pages may read this too: for clients that ask whether a silent server is alive, any answer is a good one.
  const elsewhere = (message: string): HttpHandler =>
    observedHandler(
      withCors(async ({ requestId }) =>
        problemResponse(new AshlarError("UNSUPPORTED", message), { requestId, status: 404 }),
      ),
      observing,
    );
  const onOperationsPort = elsewhere("this is answered on the server's operations port");
  const onOtherPort = elsewhere("this port answers health, metrics and reflection only");
  const operations = operationRoutes({
    readiness: options.readiness,
    admission,
    descriptors: options.descriptors,
    metrics,
    clock,
  });
  const standardPaths = new Set(standard.map((rpc) => rpc.requestPath));
  const isOperation = ({ path }: HttpRequest): boolean => operations.has(path) || standardPaths.has(path);
  const answer: HttpHandler = async (request) => {
    const operation = operations.get(request.path);
    if (operation === undefined) return await observed({ ...request, route: resolve(request) });
    request.exchange?.markUnauthenticated();
    return await operation(request);
  };
  return {
    handler: async (request) =>
      await (options.operationsApart === true && isOperation(request) ? onOperationsPort : answer)(request),
    operations: async (request) => await (isOperation(request) ? answer : onOtherPort)(request),
  };
}
