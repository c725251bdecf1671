import type { Digest } from "@ashlar/sdk/hash";
import type { Layout } from "@ashlar/sdk/ports";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";

/** Layouts whose tables are kept: those of one cluster that chunks come back under, and some of other stores in the same thread. */
const KEPT_MAX = 8;

const kept = new Map<string, Placement>();

/**
 * Servers that hold a chunk under a layout.
 *
 * A table takes milliseconds, and whoever asks holds a transaction open: it is cut once for each layout. By what the layout says and not by its version,
 * because one thread serves many stores.
 */
export function replicasUnder(layout: Layout, chunkId: Digest): readonly string[] {
  const name = JSON.stringify(layout);
  const placement = kept.get(name) ?? createPlacement(layout);
  kept.delete(name);
  kept.set(name, placement);
  const [oldest] = kept.keys();
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  return placement.placementOf(chunkId);
}
