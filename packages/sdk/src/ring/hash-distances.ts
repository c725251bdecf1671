/**
 * Distances of placement format 2: weighted rendezvous hashing. Each pair of partition and node has a hash, and the distance is what an exponential
 * clock of the node's weight shows there. So a node is nearest to a part of the partitions in proportion to its weight, and a node that joins or
 * leaves changes no distance of another one.
 *
 * Where bytes lie follows from every operation here, down to the last bit: a change is a change of format. Only steps that IEEE 754 rounds in one
 * way are used; `Math.log` is not one. tests/vectors/placement.json pins it.
 */
import * as LIMITS from "../limit-values.ts";
import type { Distances } from "./distances.ts";
import type { LayoutNode } from "./layout.ts";
import { virtualNodeToken } from "./token.ts";

// A little more than 2^32: `nextWithin` skips by the hash alone, which is never far above the distance, and must not skip by rounding.
const HASHES = 1.000001 * 2 ** 32;

/** With the hash of each pair, 0 to 2^32 - 1, for the test vectors. */
export interface HashDistances extends Distances {
  hash(partition: number, node: number): number;
}

/** Distances of nodes from the partitions of format 2. Cost: nothing is kept but 16 bytes a node. */
export function hashDistances(nodes: readonly LayoutNode[]): HashDistances {
  const seeds = new Int32Array(nodes.length);
  const factors = new Int32Array(nodes.length);
  const weights = Float64Array.from(nodes, ({ nodeId, weight }, node) => {
    const token = virtualNodeToken(nodeId, 0);
    seeds[node] = Number(token >> 32n);
    // Odd, so that a node's partitions all stay apart when multiplied.
    factors[node] = Number(token & 0xffff_ffffn) | 1;
    return weight;
  });
  const hash = (partition: number, node: number): number => mix((seeds[node] ?? 0) ^ partition, factors[node] ?? 0);
  return {
    partitionCount: LIMITS.PARTITION_COUNT_LARGE,
    hash,
    of: (partition, node) => exponential(hash(partition, node)) / (weights[node] ?? 0),
    nextWithin(partition, places, from, limit) {
      const most = limit * HASHES;
      let place = from;
      for (; place < places.length; place++) {
        const node = places[place] ?? 0;
        if (hash(partition, node) <= most * (weights[node] ?? 0)) break;
      }
      return place;
    },
  };
}

/** The product of both, then the finalizer of MurmurHash3; modulo 2^32. */
function mix(seed: number, factor: number): number {
  let bits = Math.imul(seed, factor);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** -ln(1 - bits / 2^32) to about seven digits, rising with `bits`, and never below bits / 2^32 by more than rounding. */
function exponential(bits: number): number {
  let rest = 1 - bits / 2 ** 32;
  let sum = 0;
  for (; rest <= 0.5; rest *= 2) sum += Math.LN2;
  const ratio = (1 - rest) / (1 + rest);
  let series = 0;
  for (let odd = 11; odd > 0; odd -= 2) series = series * ratio * ratio + 1 / odd;
  return sum + 2 * ratio * series;
}
