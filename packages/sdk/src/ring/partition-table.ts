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
import { type Distances, measureDistances } from "./distances.ts";
import { fairShares } from "./fair-shares.ts";
import type { Ring } from "./ring.ts";
import { PARTITION_COUNT } from "./token.ts";
import { spreadOrder, zoneIndexes, zoneUses } from "./zones.ts";

const LOAD_BOUND = 1.05;
// Fair shares carry rounding errors around 1e-9 partitions; a bound must not jump by one because of them.
const ROUNDING = 1e-6;

/** Nodes of every partition. */
export interface PartitionTable {
  /** Node indexes in preference order, by partition. */
  readonly rows: readonly (readonly number[])[];
  /** Replicas each node may hold, by node index; see {@link loadBound}. */
  readonly bounds: readonly number[];
}

interface Draft {
  readonly rows: number[][];
  readonly loads: number[];
  readonly bounds: readonly number[];
  readonly live: readonly number[];
  readonly zones: Uint16Array;
  readonly distances: Distances;
}

/**
 * Builds the table of a ring.
 *
 * @param count nodes per partition, at most the nodes of weight > 0.
 *
 * Cost: about 4096 × nodes × count steps.
 */
export function cutPartitionTable(ring: Ring, count: number): PartitionTable {
  const live = ring.nodes.flatMap((node, index) => (node.weight > 0 ? [index] : []));
  const zones = zoneIndexes(ring.nodes);
  const distances = measureDistances(ring);
  const order = (partition: number, candidates: readonly number[]): number[] =>
    spreadOrder(candidates, { zones, count, distanceOf: (node) => distances.of(partition, node) });

  const rows = Array.from({ length: PARTITION_COUNT }, (_, partition) => order(partition, live));
  const bounds = Array.from(fairShares(ring.nodes, count), loadBound);
  const loads = ring.nodes.map(() => 0);
  for (const row of rows) for (const node of row) loads[node] = (loads[node] ?? 0) + 1;

  const draft: Draft = { rows, loads, bounds, live, zones, distances };
  for (const node of live) giveUpFarthest(draft, node);
  for (const node of live) pushAlongChains(draft, node);
  return { rows: rows.map((row, partition) => Object.freeze(order(partition, row))), bounds };
}

/** Most replicas that a node may hold: 1.05 of its fair load, rounded down, but never less than the fair load rounded up. */
export function loadBound(fairShare: number): number {
  const fair = fairShare * PARTITION_COUNT;
  return Math.min(PARTITION_COUNT, Math.max(Math.ceil(fair - ROUNDING), Math.floor(fair * LOAD_BOUND + ROUNDING)));
}

function giveUpFarthest(draft: Draft, node: number): void {
  if (excess(draft, node) <= 0) return;
  for (const partition of farthestFirst(draft, node)) {
    if (excess(draft, node) <= 0) return;
    const target = nearestWithRoom(draft, partition, node);
    if (target !== undefined) swap(draft, { partition, from: node, to: target });
  }
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
      if (excess(draft, step.to) < 0) return backTo(node, step, cameBy);
      queue.push(step.to);
    }
  }
  return undefined;
}

function backTo(node: number, last: Step, cameBy: ReadonlyMap<number, Step>): readonly Step[] {
  const chain: Step[] = [last];
  for (let step = last; step.from !== node; ) {
    const before = cameBy.get(step.from);
    if (before === undefined) break;
    chain.unshift(before);
    step = before;
  }
  return chain;
}

const excess = (draft: Draft, node: number): number => (draft.loads[node] ?? 0) - (draft.bounds[node] ?? 0);

/** Partitions of a node by descending distance; equal distances by ascending partition. */
function farthestFirst({ rows, distances }: Draft, node: number): number[] {
  const held = rows.flatMap((row, partition) => (row.includes(node) ? [partition] : []));
  return held.sort((a, b) => distances.of(b, node) - distances.of(a, node) || a - b);
}

function nearestWithRoom(draft: Draft, partition: number, from: number): number | undefined {
  let best: number | undefined;
  for (const to of draft.live) {
    if (excess(draft, to) >= 0 || !maySwap(draft, { partition, from, to })) continue;
    if (best === undefined || draft.distances.of(partition, to) < draft.distances.of(partition, best)) best = to;
  }
  return best;
}

/** Whether a replica may move: the target holds none of the partition yet, and its zone does not get more of them than the old zone had. */
function maySwap({ rows, zones }: Draft, { partition, from, to }: Step): boolean {
  const row = rows[partition] ?? [];
  if (row.includes(to)) return false;
  const [fromZone, toZone] = [zones[from] ?? 0, zones[to] ?? 0];
  return fromZone === toZone || zoneUses(row, zones, toZone) < zoneUses(row, zones, fromZone);
}

function swap({ rows, loads }: Draft, { partition, from, to }: Step): void {
  const row = rows[partition] ?? [];
  row[row.indexOf(from)] = to;
  loads[from] = (loads[from] ?? 0) - 1;
  loads[to] = (loads[to] ?? 0) + 1;
}
