import type { ClusterSnapshot } from "@ashlar/sdk";
import { awaySinceMs } from "../layout/away-since.ts";
import type { NodeAnswers } from "./ask-nodes.ts";
import { nodeState } from "./node-state.ts";

/** Nodes whose copies count for some chunk, and are not there now. */
export interface Losses {
  /** Nodes that a layout in use places chunks on and that are away, or lost their disk. */
  readonly nodeIds: readonly string[];
  /** When the last of them was lost, in ms since the Unix epoch: a count from before took its copies for ones that are there. */
  readonly sinceMs: number;
}

/** Names of one finding: a zone may have hundreds of nodes. */
const NAMED_MAX = 5;

/** @returns `undefined` if nothing is lost, as far as the registry and the nodes say. */
export function lossesOf({ nodes, layouts }: ClusterSnapshot, answers: NodeAnswers): Losses | undefined {
  const placed = new Set(
    layouts.flatMap((layout) => layout.nodes.filter(({ weight }) => weight > 0).map(({ nodeId }) => nodeId)),
  );
  const lost = nodes.flatMap((node) => {
    if (!placed.has(node.nodeId)) return [];
    const sinceMs = nodeState(node, answers) === "away" ? awaySinceMs([node]) : node.lostDisk?.atMs;
    return sinceMs === undefined ? [] : [{ nodeId: node.nodeId, sinceMs }];
  });
  if (lost.length === 0) return undefined;
  return { nodeIds: lost.map(({ nodeId }) => nodeId), sinceMs: Math.max(...lost.map(({ sinceMs }) => sinceMs)) };
}

/** The nodes as words. */
export function lossesText({ nodeIds }: Pick<Losses, "nodeIds">): string {
  const named = nodeIds.slice(0, NAMED_MAX).join(", ");
  return nodeIds.length <= NAMED_MAX ? named : `${named} and ${nodeIds.length - NAMED_MAX} others`;
}

/** Where the copies of chunks are that follow an older layout, for findings about them. */
export function movingWhy(losses: Losses | undefined): string {
  return losses === undefined
    ? "as far as is known, chunks that are behind have all their copies where the older layout placed them, and are read there"
    : `chunks that are behind are read where the older layout placed them, and copies on ${lossesText(losses)} are missing`;
}
