/** The parts of a cluster, to be embedded in any process: storage node, gateway, and what both need. */

// For those who run servers.
export { createApiKey, createGateway, type Gateway, type GatewayOptions } from "./gateway/index.ts";
// For those who put servers together themselves.
export { clusterAuthorization, createGrantKeeper, type GrantKeeper } from "./grants/index.ts";
export { createStorageNode, type StorageNode, type StorageNodeOptions } from "./node/index.ts";
export {
  type CreateMetricsOptions,
  createMetrics,
  createPinoLogger,
  createServerTracer,
  type LogLevel,
  type Metrics,
  noMetrics,
  type PinoLoggerOptions,
  type ServerTracerOptions,
} from "./observability/index.ts";
