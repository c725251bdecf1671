import type { Distances } from "./distances.ts";
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
 * @param candidates distinct node indexes, ascending; not changed.
 * @returns the first `count` in preference order, fewer if there are fewer candidates. Equal distances go by ascending index.
 */
export function spreadOrder(
  candidates: Uint16Array,
  partition: number,
  options: {
    readonly zones: Uint16Array;
    /** Zones of the candidates, at least as many as they are. */
    readonly zoneCount: number;
    readonly count: number;
    readonly distances: Distances;
  },
): number[] {
  const { zones, zoneCount, count, distances } = options;
  const chosen: number[] = [];
  const wanted = Math.min(count, candidates.length);
  while (chosen.length < wanted) {
    // One round deals out each zone that has a node left once: its nearest node, nearest first, as many as are still wanted.
    const left = Math.min(wanted - chosen.length, zoneCount);
    const round: number[] = [];
    const far: number[] = [];
    let limit = Number.POSITIVE_INFINITY;
    const next = (from: number): number => distances.nextWithin(partition, candidates, from, limit);
    for (let index = next(0); index < candidates.length; index = next(index + 1)) {
      const node = candidates[index] ?? 0;
      const distance = distances.of(partition, node);
      let place = 0;
      while (place < round.length && zones[round[place] ?? 0] !== zones[node]) place++;
      if (distance >= (far[place] ?? limit) || chosen.includes(node)) continue;
      if (place === left) place--;
      for (; place > 0 && (far[place - 1] ?? 0) > distance; place--) {
        round[place] = round[place - 1] ?? 0;
        far[place] = far[place - 1] ?? 0;
      }
      round[place] = node;
      far[place] = distance;
      if (round.length === left) limit = far[left - 1] ?? 0;
    }
    chosen.push(...round);
  }
  return chosen;
}

/** How many of `nodes` lie in `zone`. */
export function zoneUses(nodes: Iterable<number>, zones: Uint16Array, zone: number): number {
  let uses = 0;
  for (const node of nodes) if (zones[node] === zone) uses++;
  return uses;
}
