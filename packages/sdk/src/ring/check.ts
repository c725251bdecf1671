import { fairShares } from "./fair-shares.ts";
import type { Layout, LayoutNode } from "./layout.ts";
import { loadBound } from "./partition-table.ts";
import type { Placement } from "./placement.ts";
import type { Ring } from "./ring.ts";
import { virtualNodeToken } from "./token.ts";
import { virtualNodeCount } from "./validate-layout.ts";

/** Every invariant of a ring that does not hold, as sentences; empty when all do. Recomputes each token: for tests and diagnosis. */
export function checkRing(ring: Ring, layout: Layout): readonly string[] {
  const problems: string[] = [];
  const { nodes, tokens, nodeIndexes } = ring;
  if (tokens.length !== nodeIndexes.length) problems.push(`${tokens.length} tokens have ${nodeIndexes.length} owners`);
  for (let index = 1; index < tokens.length; index++) {
    if ((tokens[index - 1] ?? 0n) > (tokens[index] ?? 0n))
      problems.push(`token ${index} is smaller than the one before it`);
  }
  const owned = nodes.map(() => new Set<bigint>());
  tokens.forEach((token, index) => {
    const owner = owned[nodeIndexes[index] ?? -1];
    if (owner === undefined) problems.push(`token ${index} belongs to no node`);
    else owner.add(token);
  });
  for (const { nodeId } of layout.nodes)
    if (!nodes.some((node) => node.nodeId === nodeId)) problems.push(`${nodeId} is missing`);
  nodes.forEach((node, index) => {
    const before = nodes[index - 1];
    if (before !== undefined && before.nodeId >= node.nodeId) problems.push(`${node.nodeId} is out of order`);
    const tokensOfNode = owned[index] ?? new Set();
    const count = virtualNodeCount(layout, node);
    if (tokensOfNode.size !== count)
      problems.push(`${node.nodeId} has ${tokensOfNode.size} tokens instead of ${count}`);
    for (let virtual = 0; virtual < count; virtual++) {
      if (!tokensOfNode.has(virtualNodeToken(node.nodeId, virtual)))
        problems.push(`${node.nodeId} lacks the token of virtual node ${virtual}`);
    }
  });
  return problems;
}

/**
 * Every invariant of a placement that does not hold, as sentences; empty when all do.
 *
 * Per partition: the right number of distinct known nodes of weight > 0; every prefix spread over the zones. Per node: load within bound.
 */
export function checkPlacement(placement: Placement, layout: Layout): readonly string[] {
  const problems: string[] = [];
  const byId = new Map(layout.nodes.map((node) => [node.nodeId, node]));
  const live = layout.nodes.filter((node) => node.weight > 0);
  const count = Math.min(layout.replicationFactor, live.length);
  if (placement.layoutVersion !== layout.layoutVersion)
    problems.push(`the layout version is ${placement.layoutVersion}`);
  if (placement.replicaCount !== count)
    problems.push(`the replica count is ${placement.replicaCount} instead of ${count}`);
  const loads = new Map<string, number>();
  const isSpread = spreadCheck(live);
  for (let partition = 0; partition < placement.partitionCount; partition++) {
    const nodes = placement.nodesOfPartition(partition);
    for (const nodeId of nodes) loads.set(nodeId, (loads.get(nodeId) ?? 0) + 1);
    if (nodes.length !== count) problems.push(`partition ${partition} has ${nodes.length} nodes instead of ${count}`);
    if (new Set(nodes).size !== nodes.length) problems.push(`partition ${partition} has a node twice`);
    if (nodes.some((nodeId) => !((byId.get(nodeId)?.weight ?? 0) > 0)))
      problems.push(`partition ${partition} has a node that takes no chunks`);
    if (!isSpread(nodes.flatMap((nodeId) => byId.get(nodeId) ?? [])))
      problems.push(`partition ${partition} is not spread over the zones`);
  }
  const fair = fairShares(layout.nodes, count);
  layout.nodes.forEach(({ nodeId }, index) => {
    const bound = loadBound(fair[index] ?? 0, placement.partitionCount);
    const load = loads.get(nodeId) ?? 0;
    if (load > bound) problems.push(`${nodeId} holds ${load} replicas, ${bound} at most`);
  });
  return problems;
}

/**
 * Tells whether each node in turn comes from a zone that, among those with a node left, was used least before it. For distinct nodes that take chunks,
 * only their zones decide; so each sequence of zones is judged once.
 */
function spreadCheck(live: readonly LayoutNode[]): (chosen: readonly LayoutNode[]) => boolean {
  const zoneOf = (node: LayoutNode): string => node.zone ?? `:${node.nodeId}`;
  const judge = (chosen: readonly LayoutNode[]): boolean =>
    chosen.every((node, position) => {
      const before = chosen.slice(0, position);
      const uses = (zone: string): number => before.filter((other) => zoneOf(other) === zone).length;
      const left = live.filter((other) => !before.includes(other));
      return left.every((other) => uses(zoneOf(other)) >= uses(zoneOf(node)));
    });
  const known = new Map<string, boolean>();
  return (chosen) => {
    if (new Set(chosen).size < chosen.length || chosen.some((node) => !(node.weight > 0))) return judge(chosen);
    const zones = chosen.map(zoneOf).join("\n");
    const answer = known.get(zones) ?? judge(chosen);
    known.set(zones, answer);
    return answer;
  };
}
