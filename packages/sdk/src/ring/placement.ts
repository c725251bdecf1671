import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import * as LIMITS from "../limit-values.ts";
import { hashDistances } from "./hash-distances.ts";
import type { Layout } from "./layout.ts";
import { cutPartitionTable } from "./partition-table.ts";
import { nodesInOrder } from "./ring.ts";
import { ringDistances } from "./ring-distances.ts";
import { partitionOf } from "./token.ts";
import { validateLayout } from "./validate-layout.ts";

/** Where chunks lie under one layout. Pure: same layout and chunk id, same answer, on every machine; liveness plays no part. */
export interface Placement {
  readonly layoutVersion: number;
  /** Nodes per chunk: min(replicationFactor, nodes of weight > 0). */
  readonly replicaCount: number;
  /** Slices of the token space that are placed as one, a power of two: 4,096 in placement format 1, 65,536 in format 2. */
  readonly partitionCount: number;
  /**
   * Nodes of one chunk.
   *
   * @returns `replicaCount` distinct node ids in preference order; every prefix is spread over as many zones as it can be. Frozen.
   */
  nodesOf(chunkId: Digest): readonly string[];
  /** The same for a whole partition, 0 to `partitionCount` - 1. @throws {AshlarError} INVALID_ARGUMENT outside of that. */
  nodesOfPartition(partition: number): readonly string[];
}

/**
 * Creates the placement of a layout.
 *
 * The first question computes the partition table (some ten milliseconds for six nodes, half a second for a thousand), later ones are a table
 * look-up: keep one placement per layout version. The table is 2 bytes for each copy of each partition: 393,216 for three copies in format 2.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a layout that `validateLayout` refuses.
 */
export function createPlacement(layout: Layout): Placement {
  validateLayout(layout);
  const { layoutVersion, replicationFactor } = layout;
  const nodes = nodesInOrder(layout);
  const replicaCount = Math.min(replicationFactor, nodes.filter((node) => node.weight > 0).length);
  const isHashed = layout.placementFormat === 2;
  const partitionCount = isHashed ? LIMITS.PARTITION_COUNT_LARGE : LIMITS.PARTITION_COUNT;
  let table: Uint16Array | undefined;
  const nodesOfPartition = (partition: number): readonly string[] => {
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitionCount) {
      throw new AshlarError("INVALID_ARGUMENT", `a partition is a whole number from 0 to ${partitionCount - 1}`, {
        details: { partition: String(partition) },
      });
    }
    table ??= cutPartitionTable(nodes, replicaCount, isHashed ? hashDistances(nodes) : ringDistances(layout, nodes));
    // `Array.from` with a function takes ten times as long.
    const names: string[] = [];
    for (let at = partition * replicaCount; names.length < replicaCount; at++)
      names.push(nodes[table[at] ?? 0]?.nodeId ?? "");
    return Object.freeze(names);
  };
  return Object.freeze({
    layoutVersion,
    replicaCount,
    partitionCount,
    nodesOfPartition,
    nodesOf: (chunkId: Digest) => nodesOfPartition(partitionOf(chunkId, partitionCount)),
  });
}
