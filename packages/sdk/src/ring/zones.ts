import type { LayoutNode } from "./layout.ts";

/** Failure domain of each node, by node index: 0, 1, … in order of first appearance. A node without a zone is alone in one. */
export function zoneIndexes(nodes: readonly LayoutNode[]): Uint16Array {
  const known = new Map<string, number>();
  return Uint16Array.from(nodes, (node) => {
    // A colon cannot occur in a zone name, so an unnamed zone never meets a named one.
    const name = node.zone ?? `:${node.nodeId}`;
    const index = known.get(name) ?? known.size;
    known.set(name, index);
    return index;
  });
}

/**
 * Orders nodes for one partition: each next node is the nearest one of a zone that was used least so far.
 *
 * So every prefix of the result is spread over as many zones as it can be.
 *
 * @param candidates distinct node indexes; not changed.
 * @param distanceOf distance of a node from the partition; equal distances go by ascending index.
 * @returns the first `count` in preference order, fewer if there are fewer candidates.
 */
export function spreadOrder(
  candidates: readonly number[],
  options: { readonly zones: Uint16Array; readonly count: number; readonly distanceOf: (node: number) => number },
): number[] {
  const { zones, count, distanceOf } = options;
  const chosen: number[] = [];
  while (chosen.length < Math.min(count, candidates.length)) {
    let best = -1;
    let bestUses = Number.POSITIVE_INFINITY;
    let bestDistance = Number.POSITIVE_INFINITY;
    for (const node of candidates) {
      if (chosen.includes(node)) continue;
      const uses = zoneUses(chosen, zones, zones[node] ?? 0);
      if (uses > bestUses) continue;
      const distance = distanceOf(node);
      if (uses === bestUses && (distance > bestDistance || (distance === bestDistance && node > best))) continue;
      best = node;
      bestUses = uses;
      bestDistance = distance;
    }
    chosen.push(best);
  }
  return chosen;
}

/** How many of `nodes` lie in `zone`. */
export function zoneUses(nodes: Iterable<number>, zones: Uint16Array, zone: number): number {
  let uses = 0;
  for (const node of nodes) if (zones[node] === zone) uses++;
  return uses;
}
