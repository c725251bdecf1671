import type { Distances } from "./distances.ts";
import type { Ring } from "./ring.ts";
import { PARTITION_COUNT } from "./token.ts";

// Tokens are compared by their first 53 bits here, which doubles hold exactly and JavaScript compares fast. Other languages must do the
// same: the dropped 11 bits could in theory decide a tie.
const DROPPED_BITS = 11n;
const SPACE = 2 ** 53;

/**
 * Distances of placement format 1: in units of 2^11 tokens, clockwise from the start of each partition to the nearest token of each node.
 *
 * Cost: one sweep over the tokens; 8 bytes × 4096 × nodes until the result is dropped.
 */
export function ringDistances(ring: Ring): Distances {
  const nodeCount = ring.nodes.length;
  const positions = Float64Array.from(ring.tokens, (token) => Number(token >> DROPPED_BITS));
  const distances = new Float64Array(PARTITION_COUNT * nodeCount);
  // Position of the next token of each node clockwise, one turn later where `wrapped` is 1: before the sweep, that is each node's first token.
  const next = new Float64Array(nodeCount).fill(Number.POSITIVE_INFINITY);
  const wrapped = new Uint8Array(nodeCount).fill(1);
  for (let index = positions.length - 1; index >= 0; index--)
    next[ring.nodeIndexes[index] ?? 0] = positions[index] ?? 0;
  let index = positions.length - 1;
  for (let partition = PARTITION_COUNT - 1; partition >= 0; partition--) {
    const start = partition * (SPACE / PARTITION_COUNT);
    for (; index >= 0 && (positions[index] ?? 0) >= start; index--) {
      const node = ring.nodeIndexes[index] ?? 0;
      next[node] = positions[index] ?? 0;
      wrapped[node] = 0;
    }
    for (let node = 0; node < nodeCount; node++) {
      // Subtract first: both steps are then exact in a double.
      distances[partition * nodeCount + node] = (next[node] ?? 0) - start + (wrapped[node] === 1 ? SPACE : 0);
    }
  }
  const of = (partition: number, node: number): number =>
    distances[partition * nodeCount + node] ?? Number.POSITIVE_INFINITY;
  return {
    partitionCount: PARTITION_COUNT,
    of,
    nextWithin(partition, nodes, from, limit) {
      let place = from;
      while (place < nodes.length && of(partition, nodes[place] ?? 0) > limit) place++;
      return place;
    },
  };
}
