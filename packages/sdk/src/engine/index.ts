export { type ClusterTopologyOptions, createClusterTopology, majority } from "./cluster-topology.ts";
export { type CollectOptions, type CollectReport, collect } from "./collect.ts";
export { createEngine } from "./create-engine.ts";
export type { EngineOptions } from "./engine-context.ts";
export type { ReplicatedGetOptions } from "./replicated-get.ts";
export { createReplicatedStore, type ReplicatedStore, type ReplicationOptions } from "./replicated-store.ts";
export { type RetryOptions, withRetry } from "./retry.ts";
export { singleStoreTopology } from "./single-store-topology.ts";
export type { ChunkPlacement, NamedStore, ReplicatedPut, Topology } from "./topology.ts";
