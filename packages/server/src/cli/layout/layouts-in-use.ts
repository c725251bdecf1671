import type { Layout } from "@ashlar/sdk/ports";

/** The layouts that place chunks on one of these nodes: they name it with a weight above 0. */
export function layoutsPlacingOn(layouts: readonly Layout[], nodeIds: readonly string[]): readonly Layout[] {
  return layouts.filter(({ nodes }) => nodes.some(({ nodeId, weight }) => weight > 0 && nodeIds.includes(nodeId)));
}

/** The nodes that a layout places chunks on. */
export function placingNodeIds({ nodes }: Layout): readonly string[] {
  return nodes.filter(({ weight }) => weight > 0).map(({ nodeId }) => nodeId);
}
