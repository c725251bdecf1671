/** The parts of a cluster, to be embedded in any process: storage node, gateway, and what both need. */

// For those who run servers.
// For those who put servers together themselves: what a gateway is made of, beside the ports of `@ashlar/server/http`.
export {
  createApiKey,
  createGateway,
  createGatewayCore,
  type Gateway,
  type GatewayCore,
  type GatewayCoreOptions,
  type GatewayOptions,
} from "./gateway/index.ts";
export {
  clusterAuthorization,
  createGrantKeeper,
  type GrantKeeper,
  type GrantKeeperOptions,
  type Signer,
  type SigningPurpose,
  webCryptoSigner,
} from "./grants/index.ts";
export {
  createMaintenance,
  type Maintenance,
  type MaintenanceOptions,
  type MaintenanceReport,
} from "./maintenance/index.ts";
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
