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

// A little less than 2^-32: `nextWithin` compares with less than the distance, whatever the rounding.
const LEAST_UNIT = 0.999999 / 2 ** 32;

/** Distances of nodes from the partitions of format 2. Cost: nothing is kept but 24 bytes a node. */
export function hashDistances(nodes: readonly LayoutNode[]): Distances {
  const seeds = new Int32Array(nodes.length);
  const factors = new Int32Array(nodes.length);
  const weights = new Float64Array(nodes.length);
  const scales = new Float64Array(nodes.length);
  nodes.forEach(({ nodeId, weight }, node) => {
    [seeds[node], factors[node]] = keyOf(nodeId);
    weights[node] = weight;
    scales[node] = LEAST_UNIT / weight;
  });
  const hash = (partition: number, node: number): number => mix((seeds[node] ?? 0) ^ partition, factors[node] ?? 0);
  return {
    partitionCount: LIMITS.PARTITION_COUNT_LARGE,
    of: (partition, node) => exponential(hash(partition, node)) / (weights[node] ?? 0),
    nextWithin(partition, nodes, from, limit) {
      let place = from;
      for (; place < nodes.length; place++) {
        const node = nodes[place] ?? 0;
        if (hash(partition, node) * (scales[node] ?? 0) <= limit) break;
      }
      return place;
    },
  };
}

/** The hash of one pair, 0 to 2^32 - 1. */
export function hashOf(nodeId: string, partition: number): number {
  const [seed, factor] = keyOf(nodeId);
  return mix(seed ^ partition, factor);
}

/** Seed and factor: the two halves of the node's first token. The factor is odd, so that a node's partitions all stay apart when multiplied. */
function keyOf(nodeId: string): readonly [number, number] {
  const token = virtualNodeToken(nodeId, 0);
  return [Number(token >> 32n), Number(token & 0xffff_ffffn) | 1];
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
  let halvings = 0;
  for (; rest <= 0.5; rest *= 2) halvings++;
  const ratio = (1 - rest) / (1 + rest);
  const square = ratio * ratio;
  const series = 1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7 + square * (1 / 9 + square / 11))));
  return halvings * Math.LN2 + 2 * ratio * series;
}
