export {
  type ClusterTopologyOptions,
  type ClusterViewOptions,
  createClusterTopology,
  createClusterView,
  majority,
} from "./cluster-topology.ts";
export { type CollectOptions, type CollectReport, collect } from "./collect.ts";
export { createEngine } from "./create-engine.ts";
export type { EngineOptions } from "./engine-context.ts";
export { type ChunksExamined, type ExamineChunksOptions, examineChunks } from "./examine-chunks.ts";
export { type ExamineOptions, examineStore, type StoreProblem } from "./examine-store.ts";
export { levelOfAnswer } from "./level-of-answer.ts";
export { type DatabaseStepOptions, takeDatabaseStep } from "./marked-deletes.ts";
export { namingObject } from "./read-object.ts";
export {
  type BadCopy,
  createReplicatedStore,
  type Patience,
  type ReadFor,
  type ReplicatedGetOptions,
  type ReplicatedPut,
  type ReplicatedPutOptions,
  type ReplicatedStore,
  type ReplicationOptions,
} from "./replicated-store.ts";
export { type RetryEvent, type RetryOptions, type RetryPolicy, withRetry } from "./retry.ts";
export { SCRUB_FILE_COST_BYTES, type ScrubFault, type ScrubOptions, type ScrubReport, scrub } from "./scrub.ts";
export {
  type ChunkPlacement,
  type ClusterView,
  type NamedStore,
  singleStoreTopology,
  type Topology,
} from "./topology.ts";
