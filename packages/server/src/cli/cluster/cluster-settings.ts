import type { CommandCall } from "../command.ts";
import type { SettingName } from "../config.ts";
import type { Settings } from "../settings.ts";

/** Settings of every `cluster` command. Most have no others. */
export const PLAIN_SETTINGS = ["clusterPath", "json", "debug"] as const;

/** Settings of `cluster kill`. */
export const KILL_SETTINGS = [...PLAIN_SETTINGS, "keepDown", "downForMs"] as const;

/** Settings of `cluster down`. */
export const DOWN_SETTINGS = [...PLAIN_SETTINGS, "deleteData", "yes"] as const;

/** Settings that `cluster up` passes on to the servers: to all of them, to the gateway, to each node. */
export const PASSED_SETTINGS = Object.freeze({
  all: [
    ...(["replicationFactor", "durability", "corsOrigins", "logLevel", "shutdownGraceMs"] as const),
    ...(["chunkMaxBytes", "requestsInFlightMax", "bytesInFlightMax"] as const),
  ],
  gateway: ["collectIntervalMs", "reReplicateAfterMs", "repairBytesPerSecond"] as const,
  node: ["heartbeatIntervalMs", "refuseLostDisk", "scrubPeriodMs", "scrubBytesPerSecond"] as const,
});

/** Settings of `cluster up`. */
export const UP_SETTINGS = [
  ...PLAIN_SETTINGS,
  "nodes",
  "gatewayPort",
  "nodePort",
  "postgresPort",
  "databaseUrl",
  "detach",
  ...PASSED_SETTINGS.all,
  ...PASSED_SETTINGS.gateway,
  ...PASSED_SETTINGS.node,
] as const;

const OWN_PORTS = "ports are chosen with --gateway-port and --node-port";
const LOOPBACK_ONLY =
  "the servers of a cluster on one machine listen on 127.0.0.1, without TLS; to serve others, run gateway and node";
const OWN_KEY = "the cluster makes a key of its own, cluster.key in its folder";
const ONE_NODE = "it is about one node, and the nodes of a cluster on one machine are alike; to choose it, run node";

/** Settings of servers that make no sense for a whole cluster on one machine, each with what to do instead. */
export const REFUSED_SETTINGS = Object.freeze({
  ...{ port: OWN_PORTS, grpcPort: OWN_PORTS },
  ...{ host: LOOPBACK_ONLY, tlsCert: LOOPBACK_ONLY, tlsKey: LOOPBACK_ONLY, hstsMaxAgeMs: LOOPBACK_ONLY },
  ...{ operationsPort: OWN_PORTS, operationsHost: LOOPBACK_ONLY },
  ...{ clusterKey: OWN_KEY, clusterKeyAccepted: OWN_KEY, clusterKeyFile: OWN_KEY },
  ...{ nodeId: ONE_NODE, dataDir: ONE_NODE, publicUrl: ONE_NODE, zone: ONE_NODE, weight: ONE_NODE },
} satisfies Readonly<Partial<Record<SettingName, string>>>);

/** Resolved settings of `cluster up`. */
export type UpSettings = Settings<(typeof UP_SETTINGS)[number]>;

/** The call of `cluster up`. */
export type UpCall = CommandCall<(typeof UP_SETTINGS)[number]>;
