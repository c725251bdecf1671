export { askNodes, findClockProblems } from "./ask-nodes.ts";
export { askReadiness, type NoAnswer, type ReadyAnswer } from "./ask-readiness.ts";
export { findClusterProblems } from "./cluster-problems.ts";
export type { Finding } from "./finding.ts";
export { examineMetadata, findFolderProblems } from "./folder-problems.ts";
export { readFigures } from "./read-figures.ts";
export { findRowProblems } from "./row-problems.ts";
export { findServerProblems } from "./server-problems.ts";
