import type { Layout, LayoutNode } from "./layout.ts";
import { virtualNodeToken } from "./token.ts";
import { validateLayout, virtualNodeCount } from "./validate-layout.ts";

/** The tokens of one layout in ascending order. Never changed after {@link buildRing}; treat the arrays as read-only. */
export interface Ring {
  /** The layout's nodes by ascending id (ASCII order); node indexes below and in placement point into this list. */
  readonly nodes: readonly LayoutNode[];
  /** Ascending; equal tokens, if there ever are any, by ascending node index. */
  readonly tokens: BigUint64Array;
  /** Node index of each token. */
  readonly nodeIndexes: Uint16Array;
}

/**
 * Computes the ring of a layout.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a layout that {@link validateLayout} refuses.
 *
 * Cost: one SHA-256 per virtual node and a sort; 10 bytes a token stay.
 */
export function buildRing(layout: Layout): Ring {
  validateLayout(layout);
  const nodes = nodesInOrder(layout);
  const unsorted: bigint[] = [];
  const owners: number[] = [];
  nodes.forEach((node, nodeIndex) => {
    const count = virtualNodeCount(layout, node);
    for (let index = 0; index < count; index++) {
      unsorted.push(virtualNodeToken(node.nodeId, index));
      owners.push(nodeIndex);
    }
  });
  const order = sortedOrder(unsorted);
  const tokens = new BigUint64Array(order.length);
  const nodeIndexes = new Uint16Array(order.length);
  order.forEach((from, to) => {
    tokens[to] = unsorted[from] ?? 0n;
    nodeIndexes[to] = owners[from] ?? 0;
  });
  return Object.freeze({ nodes: Object.freeze(nodes), tokens, nodeIndexes });
}

/** The nodes of a layout by ascending id (ASCII order), whose places in it are their indexes. */
export function nodesInOrder({ nodes }: Layout): readonly LayoutNode[] {
  return [...nodes].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

/** Positions of `tokens` by ascending token. Positions ascend with the node index, so they break ties. */
function sortedOrder(tokens: readonly bigint[]): Uint32Array {
  // Comparing doubles first is several times faster than comparing bigints, and decides all but one comparison in about 2^40.
  const approximate = Float64Array.from(tokens, Number);
  return Uint32Array.from(tokens.keys()).sort((a, b) => {
    const difference = (approximate[a] ?? 0) - (approximate[b] ?? 0);
    if (difference !== 0) return difference;
    const [x, y] = [tokens[a] ?? 0n, tokens[b] ?? 0n];
    return x < y ? -1 : x > y ? 1 : a - b;
  });
}
