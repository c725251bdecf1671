import type { Digest } from "@ashlar/sdk/hash";
import type { Layout } from "@ashlar/sdk/ports";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";

/** Layouts whose tables are kept: the layouts of one cluster that chunks still name, and some of other stores in the same thread. */
const KEPT_MAX = 8;

const kept = new Map<string, Placement>();

/** For many chunks of one call: the content of a layout of a thousand nodes takes longer to compare than a chunk to place. */
const byLayout = new WeakMap<Layout, Placement>();

/**
 * Nodes that hold a chunk under a layout.
 *
 * Making a table takes milliseconds while the caller holds a transaction open, so it is made once for each layout. The cache goes by the content of
 * the layout and not by its version, because one thread serves many stores.
 */
export function replicasUnder(layout: Layout, chunkId: Digest): readonly string[] {
  return placementUnder(layout).nodesOf(chunkId);
}

/** The table of a layout, for many chunks. */
export function placementUnder(layout: Layout): Placement {
  const known = byLayout.get(layout);
  if (known !== undefined) return known;
  const name = JSON.stringify(layout);
  const placement = kept.get(name) ?? createPlacement(layout);
  kept.delete(name);
  kept.set(name, placement);
  byLayout.set(layout, placement);
  const [oldest] = kept.keys();
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  return placement;
}
