import type { LayoutNode } from "./layout.ts";
import { zoneIndexes } from "./zones.ts";

/** Replicas per partition that one node should hold, 0 to 1, by node index. */
export type FairShares = Float64Array;

/**
 * What each node should hold: in proportion to its weight, as far as the spread over zones and "no node twice" allow.
 *
 * Whatever its weight, a zone holds at least what the even spread puts there, and at most one replica per partition more; between these bounds it
 * holds in proportion to its weight. Within a zone, a node holds at most one replica per partition. So at equal weights, without zones, each node's
 * share is `replicas / nodes`, and a small zone among big ones gets more than its weight: spread wins over balance.
 *
 * @param replicas copies per partition, at most the number of nodes of weight > 0.
 * @returns shares that add up to `replicas`, exact to about 1e-12.
 */
export function fairShares(nodes: readonly LayoutNode[], replicas: number): FairShares {
  const zones = zoneIndexes(nodes);
  const members: number[][] = [];
  nodes.forEach((node, index) => {
    const zone = zones[index] ?? 0;
    members[zone] ??= [];
    if (node.weight > 0) members[zone].push(index);
  });
  const used = members.filter((list) => list.length > 0);
  const rounds = fullRounds(used, replicas);
  const weightOf = (index: number): number => nodes[index]?.weight ?? 0;
  const zoneShares = fill({
    total: replicas,
    weights: used.map((list) => list.reduce((sum, index) => sum + weightOf(index), 0)),
    least: used.map((list) => Math.min(list.length, rounds)),
    most: used.map((list) => Math.min(list.length, rounds + 1)),
  });
  const shares = new Float64Array(nodes.length);
  used.forEach((list, zone) => {
    const inZone = fill({
      total: zoneShares[zone] ?? 0,
      weights: list.map(weightOf),
      least: list.map(() => 0),
      most: list.map(() => 1),
    });
    list.forEach((index, position) => {
      shares[index] = inZone[position] ?? 0;
    });
  });
  return shares;
}

/** How many replicas every zone gets before any zone gets one more; a zone with fewer nodes gets all it can hold. */
function fullRounds(zones: readonly (readonly number[])[], replicas: number): number {
  const needed = (rounds: number): number => zones.reduce((sum, list) => sum + Math.min(list.length, rounds), 0);
  let rounds = 0;
  while (rounds < replicas && needed(rounds + 1) <= replicas) rounds++;
  return rounds;
}

interface Fill {
  readonly total: number;
  readonly weights: readonly number[];
  readonly least: readonly number[];
  readonly most: readonly number[];
}

/** Splits `total` in proportion to the weights within the bounds: bisection finds the level at which the shares add up to the total. */
function fill({ total, weights, least, most }: Fill): number[] {
  const at = (level: number): number[] =>
    weights.map((weight, index) => Math.min(most[index] ?? 0, Math.max(least[index] ?? 0, level * weight)));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  let low = 0;
  let high = 1;
  const reachable = sum(most);
  while (sum(at(high)) < Math.min(total, reachable) - 1e-12 && Number.isFinite(high)) high *= 2;
  // Each step halves the error; 200 steps reach the last bit of a double from any finite start.
  for (let step = 0; step < 200 && low < high; step++) {
    const middle = low + (high - low) / 2;
    if (sum(at(middle)) < total) low = middle;
    else high = middle;
  }
  return at(high);
}
