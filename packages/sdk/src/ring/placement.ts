import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import type { Layout } from "./layout.ts";
import { cutPartitionTable } from "./partition-table.ts";
import { buildRing } from "./ring.ts";
import { PARTITION_COUNT, partitionOf } from "./token.ts";

/** Where chunks lie under one layout. Pure: same layout and chunk id, same answer, on every machine; liveness plays no part. */
export interface Placement {
  readonly layoutVersion: number;
  /** Nodes per chunk: min(replicationFactor, nodes of weight > 0). */
  readonly replicaCount: number;
  /**
   * Nodes of one chunk.
   *
   * @returns `replicaCount` distinct node ids in preference order; every prefix is spread over as many zones as it can be. Shared and frozen.
   */
  nodesOf(chunkId: Digest): readonly string[];
  /** The same for a whole partition, 0 to 4095. @throws {AshlarError} INVALID_ARGUMENT outside of that. */
  nodesOfPartition(partition: number): readonly string[];
}

/**
 * Creates the placement of a layout.
 *
 * The first call computes the partition table (a few milliseconds for six nodes), later ones are a table look-up: keep one placement
 * per layout version.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a layout that `validateLayout` refuses.
 */
export function createPlacement(layout: Layout): Placement {
  const ring = buildRing(layout);
  const { layoutVersion, replicationFactor } = layout;
  const replicaCount = Math.min(replicationFactor, ring.nodes.filter((node) => node.weight > 0).length);
  let table: readonly (readonly string[])[] | undefined;
  const nodesOfPartition = (partition: number): readonly string[] => {
    table ??= named(cutPartitionTable(ring, replicaCount).rows, (node) => ring.nodes[node]?.nodeId ?? "");
    const nodes = table[partition];
    if (nodes === undefined) {
      throw new AshlarError("INVALID_ARGUMENT", `a partition is a whole number from 0 to ${PARTITION_COUNT - 1}`, {
        details: { partition: String(partition) },
      });
    }
    return nodes;
  };
  return Object.freeze({
    layoutVersion,
    replicaCount,
    nodesOfPartition,
    nodesOf: (chunkId: Digest) => nodesOfPartition(partitionOf(chunkId)),
  });
}

/** Puts node ids into the rows. Equal rows share one array: six nodes need at most 120 arrays instead of 4096. */
function named(rows: readonly (readonly number[])[], nameOf: (node: number) => string): readonly (readonly string[])[] {
  const known = new Map<string, readonly string[]>();
  return rows.map((row) => {
    const key = row.join();
    const names = known.get(key) ?? Object.freeze(row.map(nameOf));
    known.set(key, names);
    return names;
  });
}
