export {
  type Counter,
  DURATION_BUCKETS_SECONDS,
  type Gauge,
  type Histogram,
  type MetricLabels,
  type MetricSpec,
  type Metrics,
  noMetrics,
} from "./metrics.ts";
export { createPinoLogger, type LogLevel, type PinoLoggerOptions } from "./pino-logger.ts";
export { type CreateMetricsOptions, createMetrics } from "./prom-metrics.ts";
export { currentRequest, inRequest, type RequestScope, requestFields } from "./request-scope.ts";
export { createServerTracer, type ServerTracerOptions } from "./server-tracer.ts";
