import type { Digest } from "@ashlar/sdk/hash";
import type { ChunkCopies, CopiesPage } from "@ashlar/sdk/ports";
import type { Placement } from "@ashlar/sdk/ring";

/** A node as far as its copies are concerned. */
export interface CopyHolder {
  readonly nodeId: string;
  readonly isUp: boolean;
  /** While the walk after a lost disk goes on: the last chunk id in hex that was walked over. Later ones are missing, and not queued yet. */
  readonly lostCursor: string | undefined;
}

/** What the copies of a chunk depend on. */
export interface ChunkPlace {
  /** For a group of chunks: any id with their first 12 bits. */
  readonly chunkId: Digest;
  readonly chunkHex: string;
  /** By the layout of its row. */
  readonly placement: Placement;
  /** Nodes for which the repair queue has the chunk. */
  readonly missing: ReadonlySet<string>;
  /** Nodes that hold the copies of missing ones. */
  readonly standIns: ReadonlySet<string>;
}

/** Counts the copies of one chunk. A node that is not registered any more has none. */
export function copiesOfChunk(place: ChunkPlace, holders: ReadonlyMap<string, CopyHolder>): ChunkCopies {
  const { chunkId, chunkHex, placement, missing, standIns } = place;
  const placed = placement.nodesOf(chunkId);
  let [held, reachable] = [0, 0];
  for (const nodeId of placed) {
    const holder = holders.get(nodeId);
    if (holder === undefined || missing.has(nodeId)) continue;
    if (holder.lostCursor !== undefined && chunkHex > holder.lostCursor) continue;
    held++;
    if (holder.isUp) reachable++;
  }
  for (const nodeId of standIns) {
    const holder = holders.get(nodeId);
    // One that the placement names by now counts as such.
    if (holder === undefined || placed.includes(nodeId) || held >= placed.length) continue;
    held++;
    if (holder.isUp) reachable++;
  }
  return { wanted: placed.length, held, reachable };
}

/** Adds up copies to a page. */
export function createCopiesTally(): {
  add(copies: ChunkCopies, count: number): void;
  page(nextCursor: string | undefined): CopiesPage;
} {
  const held: number[] = [];
  const reachable: number[] = [];
  let [shortCount, chunkCount] = [0, 0];
  const add = (counts: number[], index: number, count: number): void => {
    while (counts.length <= index) counts.push(0);
    counts[index] = (counts[index] ?? 0) + count;
  };
  return {
    add(copies, count) {
      add(held, copies.held, count);
      add(reachable, copies.reachable, count);
      if (copies.reachable < copies.wanted) shortCount += count;
      chunkCount += count;
    },
    page: (nextCursor) => ({
      ...{ held, reachable, shortCount, chunkCount },
      ...(nextCursor === undefined ? {} : { nextCursor }),
    }),
  };
}
