/** A whole cluster as processes of one machine, in one folder: run, watched, asked, stopped. */

export { type ClusterFolder, clusterFolder, holdsCluster } from "./cluster-folder.ts";
export { type ClusterProblem, clusterProblemOf } from "./cluster-problem.ts";
export { askSupervisor, type ClusterStatus } from "./control-channel.ts";
export { LOOPBACK } from "./ports.ts";
export { changeLine, type Launch, type Look, type ProcessView } from "./process-spec.ts";
export { type ClusterWatcher, type RunClusterOptions, runCluster, stopCluster } from "./run-cluster.ts";
export { startDetached } from "./start-detached.ts";
export type { PlannedServer, ServerProgram, ServerPrograms } from "./supervisor.ts";
