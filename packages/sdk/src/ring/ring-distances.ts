import type { Distances } from "./distances.ts";
import type { Layout, LayoutNode } from "./layout.ts";
import { PARTITION_COUNT, virtualNodeToken } from "./token.ts";
import { virtualNodeCount } from "./validate-layout.ts";

// Tokens are compared by their first 53 bits here, which doubles hold exactly and JavaScript compares fast. Other languages must do the
// same: the dropped 11 bits could in theory decide a tie.
const DROPPED_BITS = 11n;
const SLICE = 2 ** 53 / PARTITION_COUNT;

/**
 * Distances of placement format 1: in units of 2^11 tokens, clockwise on the ring from the start of each partition to the nearest token of each node.
 *
 * Cost: one SHA-256 per virtual node; 8 bytes × 4096 × nodes until the result is dropped.
 *
 * @param nodes the layout's, in order.
 */
export function ringDistances(layout: Layout, nodes: readonly LayoutNode[]): Distances {
  const nodeCount = nodes.length;
  const distances = new Float64Array(PARTITION_COUNT * nodeCount).fill(Number.POSITIVE_INFINITY);
  const lower = (at: number, distance: number): void => {
    if (distance < (distances[at] ?? 0)) distances[at] = distance;
  };
  nodes.forEach((node, index) => {
    for (let virtual = virtualNodeCount(layout, node); virtual-- > 0; ) {
      const position = Number(virtualNodeToken(node.nodeId, virtual) >> DROPPED_BITS);
      lower(Math.floor(position / SLICE) * nodeCount + index, position % SLICE);
    }
  });
  // Without a token in its own slice, a partition has that of the next one. The second turn brings what the first one found across the start.
  for (let turn = 0; turn < 2; turn++)
    for (let at = distances.length - 1; at >= 0; at--)
      lower(at, (distances[(at + nodeCount) % distances.length] ?? 0) + SLICE);
  return {
    partitionCount: PARTITION_COUNT,
    of: (partition, node) => distances[partition * nodeCount + node] ?? Number.POSITIVE_INFINITY,
    // Every distance is at hand.
    nextWithin: (_partition, _nodes, from) => from,
  };
}
