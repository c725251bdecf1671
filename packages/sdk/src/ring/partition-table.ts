/**
 * Cuts the partition table from the ring, with a bound on every server's load.
 *
 * 1. Each partition takes its servers from the ring: the nearest clockwise, zones spread first (`spreadOrder`).
 * 2. Each server may hold `bound` replicas: max(ceil(fair), floor(1.05 × fair)), where fair is its fair share of all partitions.
 * 3. Servers over their bound, by ascending id, give up their farthest partitions, each to the nearest server that has room and keeps the
 *    spread. Giving up the farthest is cutting the server's arcs short: it depends on the layout as little as the ring itself does,
 *    so layouts that differ by one server give up nearly the same partitions (figures: docs/decisions/0010-placement.md).
 * 4. A server still over its bound pushes replicas along the shortest chain of servers to one with room (few servers, odd weights).
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

/** Servers of every partition. */
export interface PartitionTable {
  /** Server indexes in preference order, by partition. */
  readonly rows: readonly (readonly number[])[];
  /** Replicas each server may hold, by server index; see {@link loadBound}. */
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
 * @param count servers per partition, at most the servers of weight > 0.
 *
 * Cost: about 4096 × servers × count steps.
 */
export function cutPartitionTable(ring: Ring, count: number): PartitionTable {
  const live = ring.servers.flatMap((server, index) => (server.weight > 0 ? [index] : []));
  const zones = zoneIndexes(ring.servers);
  const distances = measureDistances(ring);
  const order = (partition: number, candidates: readonly number[]): number[] =>
    spreadOrder(candidates, { zones, count, distanceOf: (server) => distances.of(partition, server) });

  const rows = Array.from({ length: PARTITION_COUNT }, (_, partition) => order(partition, live));
  const bounds = Array.from(fairShares(ring.servers, count), loadBound);
  const loads = ring.servers.map(() => 0);
  for (const row of rows) for (const server of row) loads[server] = (loads[server] ?? 0) + 1;

  const draft: Draft = { rows, loads, bounds, live, zones, distances };
  for (const server of live) giveUpFarthest(draft, server);
  for (const server of live) pushAlongChains(draft, server);
  return { rows: rows.map((row, partition) => Object.freeze(order(partition, row))), bounds };
}

/** Most replicas that a server may hold: 1.05 of its fair load, rounded down, but never less than the fair load rounded up. */
export function loadBound(fairShare: number): number {
  const fair = fairShare * PARTITION_COUNT;
  return Math.min(PARTITION_COUNT, Math.max(Math.ceil(fair - ROUNDING), Math.floor(fair * LOAD_BOUND + ROUNDING)));
}

function giveUpFarthest(draft: Draft, server: number): void {
  if (excess(draft, server) <= 0) return;
  for (const partition of farthestFirst(draft, server)) {
    if (excess(draft, server) <= 0) return;
    const target = nearestWithRoom(draft, partition, server);
    if (target !== undefined) swap(draft, { partition, from: server, to: target });
  }
}

interface Step {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

function pushAlongChains(draft: Draft, server: number): void {
  while (excess(draft, server) > 0) {
    const chain = shortestChain(draft, server);
    // No chain: distinct servers and the spread over zones win over the bound. checkPlacement reports it.
    if (chain === undefined) return;
    for (const step of chain) swap(draft, step);
  }
}

/** Breadth-first from `server` to one with room; among equals the smaller server index, and the partition that its server holds from farthest. */
function shortestChain(draft: Draft, server: number): readonly Step[] | undefined {
  const cameBy = new Map<number, Step>();
  const queue = [server];
  const taken = new Set<number>();
  for (const from of queue) {
    const reached: Step[] = [];
    const unseen = new Set(draft.live.filter((to) => to !== server && !cameBy.has(to)));
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
      if (excess(draft, step.to) < 0) return backTo(server, step, cameBy);
      queue.push(step.to);
    }
  }
  return undefined;
}

function backTo(server: number, last: Step, cameBy: ReadonlyMap<number, Step>): readonly Step[] {
  const chain: Step[] = [last];
  for (let step = last; step.from !== server; ) {
    const before = cameBy.get(step.from);
    if (before === undefined) break;
    chain.unshift(before);
    step = before;
  }
  return chain;
}

const excess = (draft: Draft, server: number): number => (draft.loads[server] ?? 0) - (draft.bounds[server] ?? 0);

/** Partitions of a server by descending distance; equal distances by ascending partition. */
function farthestFirst({ rows, distances }: Draft, server: number): number[] {
  const held = rows.flatMap((row, partition) => (row.includes(server) ? [partition] : []));
  return held.sort((a, b) => distances.of(b, server) - distances.of(a, server) || a - b);
}

function nearestWithRoom(draft: Draft, partition: number, from: number): number | undefined {
  let best: number | undefined;
  for (const to of draft.live) {
    if (excess(draft, to) >= 0 || !maySwap(draft, { partition, from, to })) continue;
    if (best === undefined || draft.distances.of(partition, to) < draft.distances.of(partition, best)) best = to;
  }
  return best;
}

/** Whether a replica may move: the target holds none of the partition yet, and its zone does not end with more than the one it leaves had. */
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
