export { checkPlacement, checkRing } from "./check.ts";
export type { Layout, LayoutNode } from "./layout.ts";
export { createPlacement, type Placement } from "./placement.ts";
export { buildRing, type Ring } from "./ring.ts";
export { type NodeShare, shares } from "./shares.ts";
export { chunkToken, PARTITION_COUNT, partitionOf, virtualNodeToken } from "./token.ts";
export { RING_TOKENS_MAX, validateLayout, virtualNodeCount } from "./validate-layout.ts";
