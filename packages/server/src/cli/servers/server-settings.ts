/** Settings of every server. */
const COMMON = [
  "host",
  "insecure",
  "clusterKeyFile",
  "clusterKey",
  "clusterKeyAccepted",
  "tlsCert",
  "tlsKey",
  "hstsMaxAgeMs",
  "operationsPort",
  "operationsHost",
  "corsOrigins",
  "chunkMaxBytes",
  "requestsInFlightMax",
  "bytesInFlightMax",
  "shutdownGraceMs",
  "logLevel",
  "json",
  "debug",
] as const;

/** Of servers that hold chunks. */
const SCRUB = ["scrubPeriodMs", "scrubBytesPerSecond"] as const;

/** Name of a setting that every kind of server has. */
export type CommonSettingName = (typeof COMMON)[number];

export const SERVE_SETTINGS = ["servePath", "port", "durability", "collectIntervalMs", ...SCRUB, ...COMMON] as const;

export const NODE_SETTINGS = [
  "nodeId",
  "dataDir",
  "refuseLostDisk",
  "grpcPort",
  "publicUrl",
  "zone",
  "weight",
  "databaseUrl",
  "nodeGateway",
  "replicationFactor",
  "durability",
  "heartbeatIntervalMs",
  ...SCRUB,
  ...COMMON,
] as const;

export const GATEWAY_SETTINGS = [
  "databaseUrl",
  "path",
  "port",
  "durability",
  "replicationFactor",
  "collectIntervalMs",
  "reReplicateAfterMs",
  "repairBytesPerSecond",
  ...COMMON,
] as const;
