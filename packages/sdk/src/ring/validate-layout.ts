import { AshlarError, type ErrorDetails } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { Layout, LayoutNode } from "./layout.ts";

/** Most tokens of one ring; the default of 150 for 1,024 nodes needs 153,600. More costs time and balances no better. */
export const RING_TOKENS_MAX = 262_144;

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Checks everything about a layout that placement relies on. The order of `nodes` does not matter here: placement sorts them.
 *
 * @throws {AshlarError} INVALID_ARGUMENT naming the first problem: no node, none of weight > 0, an illegal or repeated node id, an
 *   illegal zone, a weight that is negative or not finite, a count, version or format out of its bounds.
 */
export function validateLayout(layout: Layout): void {
  requireInteger("layoutVersion", layout.layoutVersion, 0, Number.MAX_SAFE_INTEGER);
  requireInteger("replicationFactor", layout.replicationFactor, 1, LIMITS.REPLICATION_FACTOR_MAX);
  requireInteger("virtualNodesPerNode", layout.virtualNodesPerNode, 1, RING_TOKENS_MAX);
  requireInteger("node count", layout.nodes.length, 1, LIMITS.NODES_MAX);
  const seen = new Set<string>();
  let tokenCount = 0;
  const { placementFormat = 1 } = layout;
  // Gateways refuse whoever does not know the format of a layout, and say why; this is for those who have a layout from elsewhere.
  requireInteger("placementFormat", placementFormat, 1, LIMITS.PLACEMENT_FORMAT_NEWEST);
  for (const node of layout.nodes) {
    validateNode(node);
    if (seen.has(node.nodeId)) throw invalid("a layout names a node once", { nodeId: node.nodeId });
    seen.add(node.nodeId);
    tokenCount += virtualNodeCount(layout, node);
  }
  if (tokenCount === 0) throw invalid("a layout needs a node of weight > 0");
  if (tokenCount > RING_TOKENS_MAX && placementFormat === 1)
    throw invalid(`the weights ask for ${tokenCount} virtual nodes, ${RING_TOKENS_MAX} at most; scale them down`);
}

/** Virtual nodes of one node: round(virtualNodesPerNode × weight), but at least one if the weight is > 0, and none at weight 0. */
export function virtualNodeCount(layout: Layout, node: LayoutNode): number {
  return node.weight > 0 ? Math.max(1, Math.round(layout.virtualNodesPerNode * node.weight)) : 0;
}

function validateNode(node: LayoutNode): void {
  const { nodeId, zone, weight } = node;
  if (typeof nodeId !== "string" || !NAME.test(nodeId)) {
    throw invalid("a node id has 1 to 64 characters of A-Z a-z 0-9 . _ -", {
      nodeId: String(nodeId).slice(0, 80),
    });
  }
  if (zone !== undefined && (typeof zone !== "string" || !NAME.test(zone))) {
    throw invalid("a zone has 1 to 64 characters of A-Z a-z 0-9 . _ -", { nodeId, zone: String(zone).slice(0, 80) });
  }
  if (typeof weight !== "number" || !Number.isFinite(weight) || weight < 0) {
    throw invalid("a weight is a finite number of 0 or more", { nodeId, weight: String(weight) });
  }
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw invalid(`${name} must be a whole number from ${min} to ${max}`, { [name]: String(value) });
  }
}

function invalid(message: string, details?: ErrorDetails): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", message, details === undefined ? undefined : { details });
}
