/**
 * Cuts the partition table from the ring, with a bound on every node's load.
 *
 * 1. Each partition takes its nodes from the ring: the nearest clockwise, zones spread first (`spreadOrder`).
 * 2. Each node may hold `bound` replicas: max(ceil(fair), floor(1.05 × fair)), where fair is its fair share of all partitions.
 * 3. Nodes over their bound, by ascending id, give up their farthest partitions, each to the nearest node that has room and keeps the
 *    spread. This shortens the node's arcs, so the choice depends on the layout as little as the ring itself does, and layouts that
 *    differ by one node give up nearly the same partitions (figures: docs/decisions/0010-placement.md).
 * 4. A node still over its bound pushes replicas along the shortest chain of nodes to one with room (few nodes, odd weights).
 *
 * The result decides where bytes lie: a change of any step here is a change of format. tests/vectors/ring.json pins it.
 */
import type { Distances } from "./distances.ts";
import { fairShares } from "./fair-shares.ts";
import type { LayoutNode } from "./layout.ts";
import { PARTITION_COUNT } from "./token.ts";
import { spreadOrder, zoneIndexes, zoneUses } from "./zones.ts";

const LOAD_BOUND = 1.05;
// Fair shares carry rounding errors around 1e-9 partitions; a bound must not jump by one because of them.
const ROUNDING = 1e-6;

interface Draft {
  /** `count` node indexes for each partition, one partition after the other. */
  readonly table: Uint16Array;
  readonly count: number;
  /** Replicas that each node holds beyond its bound; below 0 it has room. */
  readonly over: number[];
  readonly live: Uint16Array;
  readonly zones: Uint16Array;
  readonly zoneCount: number;
  readonly distances: Distances;
  /** Partitions whose rows were changed, and have to be put in order again. */
  readonly changed: Set<number>;
}

/**
 * Builds the table of a layout.
 *
 * @param nodes the layout's, by ascending id.
 * @param count nodes per partition, at most the nodes of weight > 0.
 * @returns node indexes in preference order, `count` for each partition, one partition after the other.
 *
 * Cost: about partitions × nodes steps, and 2 bytes × partitions × count.
 */
export function cutPartitionTable(nodes: readonly LayoutNode[], count: number, distances: Distances): Uint16Array {
  const { partitionCount } = distances;
  const live = Uint16Array.from(nodes.keys()).filter((node) => (nodes[node]?.weight ?? 0) > 0);
  let zones = zoneIndexes(nodes);
  let zoneCount = new Set(live.map((node) => zones[node] ?? 0)).size;
  // In one zone, nothing can be spread: the order is the same as without zones, where it takes one round and not `count`.
  if (zoneCount === 1) {
    zones = Uint16Array.from(nodes.keys());
    zoneCount = live.length;
  }
  const table = new Uint16Array(partitionCount * count);
  const over = Array.from(fairShares(nodes, count), (share) => -loadBound(share, partitionCount));
  const draft: Draft = { table, count, over, live, zones, zoneCount, distances, changed: new Set() };
  for (let partition = 0; partition < partitionCount; partition++) {
    const row = spreadOrder(live, partition, draft);
    table.set(row, partition * count);
    for (const node of row) over[node] = (over[node] ?? 0) + 1;
  }
  for (const node of live) {
    const targetOf = (partition: number) => nearestWithRoom(draft, partition, node);
    giveUpFarthest(draft, node, excess(draft, node), targetOf);
  }
  for (const node of live) pushAlongChains(draft, node);
  for (const partition of draft.changed) {
    const row = rowOf(draft, partition);
    row.set(spreadOrder(row.toSorted(), partition, draft));
  }
  return table;
}

/** Most replicas that a node may hold: 1.05 of its fair load, rounded down, but never less than the fair load rounded up. */
export function loadBound(fairShare: number, partitionCount: number): number {
  const fair = fairShare * partitionCount;
  return Math.min(partitionCount, Math.max(Math.ceil(fair - ROUNDING), Math.floor(fair * LOAD_BOUND + ROUNDING)));
}

/** The nodes of a partition: a view of the table. */
function rowOf({ table, count }: Draft, partition: number): Uint16Array {
  return table.subarray(partition * count, (partition + 1) * count);
}

/**
 * Moves up to `most` replicas away from a node, the farthest first.
 *
 * @param targetOf the node that takes the replica of a partition, if there is one.
 * @returns how many were moved.
 */
function giveUpFarthest(
  draft: Draft,
  from: number,
  most: number,
  targetOf: (partition: number) => number | undefined,
): number {
  let moved = 0;
  if (most <= 0) return moved;
  for (const partition of farthestFirst(draft, from)) {
    if (moved === most) break;
    const to = targetOf(partition);
    if (to === undefined) continue;
    swap(draft, { partition, from, to });
    moved++;
  }
  return moved;
}

interface Step {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

function pushAlongChains(draft: Draft, node: number): void {
  while (excess(draft, node) > 0) {
    const chain = shortestChain(draft, node);
    // No chain: distinct nodes and the spread over zones win over the bound. checkPlacement reports it.
    if (chain === undefined) return;
    for (const step of chain) swap(draft, step);
    // Format 1 moves one replica at a time. Here as many follow as both ends allow, the last step first, so that no node on the way exceeds its bound.
    const end = chain[0]?.to ?? node;
    let most =
      draft.distances.partitionCount > PARTITION_COUNT ? Math.min(excess(draft, node), -excess(draft, end)) : 0;
    for (const { from, to } of chain) {
      const targetOf = (partition: number) => (maySwap(draft, { partition, from, to }) ? to : undefined);
      most = giveUpFarthest(draft, from, most, targetOf);
    }
  }
}

/** Breadth-first from `node` to one with room; among equals the smaller node index, and the partition that its node holds from farthest. */
function shortestChain(draft: Draft, node: number): readonly Step[] | undefined {
  const cameBy = new Map<number, Step>();
  const queue = [node];
  const taken = new Set<number>();
  for (const from of queue) {
    const reached: Step[] = [];
    const unseen = new Set(draft.live.filter((to) => to !== node && !cameBy.has(to)));
    for (const partition of farthestFirst(draft, from)) {
      if (unseen.size === 0) break;
      if (taken.has(partition)) continue;
      for (const to of unseen) {
        if (!maySwap(draft, { partition, from, to })) continue;
        reached.push({ partition, from, to });
        unseen.delete(to);
      }
    }
    reached.sort((a, b) => a.to - b.to);
    for (const step of reached) {
      cameBy.set(step.to, step);
      // Two steps of one chain must not touch one partition: the second was judged before the first changed it.
      taken.add(step.partition);
      if (excess(draft, step.to) < 0) return backTo(step, cameBy);
      queue.push(step.to);
    }
  }
  return undefined;
}

/** The steps of a chain, the last one first. */
function backTo(last: Step, cameBy: ReadonlyMap<number, Step>): readonly Step[] {
  const chain: Step[] = [];
  for (let step: Step | undefined = last; step !== undefined; step = cameBy.get(step.from)) chain.push(step);
  return chain;
}

const excess = (draft: Draft, node: number): number => draft.over[node] ?? 0;

/** Partitions of a node by descending distance; equal distances by ascending partition. */
function farthestFirst({ table, count, distances }: Draft, node: number): number[] {
  const held: number[] = [];
  for (let at = table.indexOf(node); at >= 0; at = table.indexOf(node, at + 1)) held.push(Math.floor(at / count));
  return held.sort((a, b) => distances.of(b, node) - distances.of(a, node));
}

function nearestWithRoom(draft: Draft, partition: number, from: number): number | undefined {
  const { distances } = draft;
  let best: number | undefined;
  let nearest = Number.POSITIVE_INFINITY;
  const next = (from: number): number => distances.nextWithin(partition, draft.live, from, nearest);
  for (let index = next(0); index < draft.live.length; index = next(index + 1)) {
    const to = draft.live[index] ?? 0;
    if (excess(draft, to) >= 0) continue;
    const distance = distances.of(partition, to);
    if (distance >= nearest || !maySwap(draft, { partition, from, to })) continue;
    best = to;
    nearest = distance;
  }
  return best;
}

/** Whether a replica may move: the target holds none of the partition yet, and its zone does not get more of them than the old zone had. */
function maySwap(draft: Draft, { partition, from, to }: Step): boolean {
  const { zones } = draft;
  const row = rowOf(draft, partition);
  if (row.includes(to)) return false;
  const [fromZone, toZone] = [zones[from] ?? 0, zones[to] ?? 0];
  return fromZone === toZone || zoneUses(row, zones, toZone) < zoneUses(row, zones, fromZone);
}

function swap(draft: Draft, { partition, from, to }: Step): void {
  const { over, changed } = draft;
  const row = rowOf(draft, partition);
  row[row.indexOf(from)] = to;
  over[from] = excess(draft, from) - 1;
  over[to] = excess(draft, to) + 1;
  changed.add(partition);
}
