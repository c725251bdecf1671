import { fairShares } from "./fair-shares.ts";
import type { Layout } from "./layout.ts";
import { createPlacement } from "./placement.ts";
import { nodesInOrder } from "./ring.ts";
import { virtualNodeCount } from "./validate-layout.ts";

/** What one node holds under a layout; all shares are fractions of 1 and add up to 1 over the nodes. */
export interface NodeShare {
  readonly nodeId: string;
  readonly zone: string | undefined;
  readonly weight: number;
  readonly virtualNodes: number;
  /** Part of all chunks for which it comes first: reads go there. Not bounded, as moving a first place moves no bytes. */
  readonly primaryShare: number;
  /** Part of all replicas that it holds. */
  readonly totalShare: number;
  /** Part of all replicas that it should hold: its weight, as far as the spread over zones allows. `totalShare` is at most 1.05 of it. */
  readonly fairShare: number;
}

/** Shares of every node, by ascending node id. @throws {AshlarError} INVALID_ARGUMENT for a layout that `validateLayout` refuses. */
export function shares(layout: Layout): readonly NodeShare[] {
  const placement = createPlacement(layout);
  const nodes = nodesInOrder(layout);
  const { partitionCount } = placement;
  const primary = new Map<string, number>();
  const total = new Map<string, number>();
  for (let partition = 0; partition < partitionCount; partition++) {
    placement.nodesOfPartition(partition).forEach((nodeId, position) => {
      if (position === 0) primary.set(nodeId, (primary.get(nodeId) ?? 0) + 1);
      total.set(nodeId, (total.get(nodeId) ?? 0) + 1);
    });
  }
  const fair = fairShares(nodes, placement.replicaCount);
  return nodes.map((node, index) => ({
    nodeId: node.nodeId,
    zone: node.zone,
    weight: node.weight,
    virtualNodes: virtualNodeCount(layout, node),
    primaryShare: (primary.get(node.nodeId) ?? 0) / partitionCount,
    totalShare: (total.get(node.nodeId) ?? 0) / (partitionCount * placement.replicaCount),
    fairShare: (fair[index] ?? 0) / placement.replicaCount,
  }));
}
