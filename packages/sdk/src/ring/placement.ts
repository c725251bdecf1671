import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import type { Layout } from "./layout.ts";
import { cutPartitionTable } from "./partition-table.ts";
import { buildRing } from "./ring.ts";
import { PARTITION_COUNT, partitionOf } from "./token.ts";

/** Where chunks lie under one layout. Pure: same layout and chunk id, same answer, on every machine; liveness plays no part. */
export interface Placement {
  readonly layoutVersion: number;
  /** Servers per chunk: min(replicationFactor, servers of weight > 0). */
  readonly replicaCount: number;
  /**
   * Servers of one chunk.
   *
   * @returns `replicaCount` distinct server ids in preference order; every prefix is spread over as many zones as it can be. Shared and frozen.
   */
  placementOf(chunkId: Digest): readonly string[];
  /** The same for a whole partition, 0 to 4095. @throws {AshlarError} INVALID_ARGUMENT outside of that. */
  serversOf(partition: number): readonly string[];
}

/**
 * Creates the placement of a layout.
 *
 * The first question pays for the partition table (a few milliseconds for six servers), later ones are a table look-up: keep one placement
 * per layout version.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for what `validateLayout` refuses.
 */
export function createPlacement(layout: Layout): Placement {
  const ring = buildRing(layout);
  const { layoutVersion, replicationFactor } = layout;
  const replicaCount = Math.min(replicationFactor, ring.servers.filter((server) => server.weight > 0).length);
  let table: readonly (readonly string[])[] | undefined;
  const serversOf = (partition: number): readonly string[] => {
    table ??= named(cutPartitionTable(ring, replicaCount).rows, (server) => ring.servers[server]?.serverId ?? "");
    const servers = table[partition];
    if (servers === undefined) {
      throw new AshlarError("INVALID_ARGUMENT", `a partition is a whole number from 0 to ${PARTITION_COUNT - 1}`, {
        details: { partition: String(partition) },
      });
    }
    return servers;
  };
  return Object.freeze({
    layoutVersion,
    replicaCount,
    serversOf,
    placementOf: (chunkId: Digest) => serversOf(partitionOf(chunkId)),
  });
}

/** Names the rows; equal rows share one array, of which six servers need 120 at most instead of 4096. */
function named(
  rows: readonly (readonly number[])[],
  nameOf: (server: number) => string,
): readonly (readonly string[])[] {
  const known = new Map<string, readonly string[]>();
  return rows.map((row) => {
    const key = row.join();
    const names = known.get(key) ?? Object.freeze(row.map(nameOf));
    known.set(key, names);
    return names;
  });
}
