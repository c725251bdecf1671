/** The parts of a cluster, for use in any process: storage node, gateway, and what both need. */

// For users who run servers.
// For users who build a server from parts: the parts of a gateway. Its HTTP ports are in `@ashlar/server/http`.
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
