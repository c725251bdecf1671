import type { CommandCall } from "../command.ts";
import type { Settings } from "../settings.ts";

/** Settings of every `cluster` command. Most have no others. */
export const PLAIN_SETTINGS = ["clusterPath", "json", "debug"] as const;

/** Settings of `cluster kill`. */
export const KILL_SETTINGS = [...PLAIN_SETTINGS, "keepDown", "downForMs"] as const;

/** Settings of `cluster down`. */
export const DOWN_SETTINGS = [...PLAIN_SETTINGS, "deleteData", "yes"] as const;

/** Settings of `cluster up`. */
export const UP_SETTINGS = [
  ...PLAIN_SETTINGS,
  "nodes",
  "gatewayPort",
  "nodePort",
  "postgresPort",
  "databaseUrl",
  "detach",
  "replicationFactor",
  "durability",
  "corsOrigins",
  "heartbeatIntervalMs",
  "logLevel",
  "shutdownGraceMs",
] as const;

/** Resolved settings of `cluster up`. */
export type UpSettings = Settings<(typeof UP_SETTINGS)[number]>;

/** The call of `cluster up`. */
export type UpCall = CommandCall<(typeof UP_SETTINGS)[number]>;
