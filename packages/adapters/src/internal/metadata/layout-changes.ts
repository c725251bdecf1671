import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Layout, type LayoutDefaults, type LayoutNode, nextLayout, shownUrl } from "@ashlar/sdk/ports";
import { NODE_DOWN_AFTER_MS } from "./node-state.ts";

/**
 * The layout after a node has registered, or `undefined` if nothing changes: it is in the layout already, in the same zone.
 * The operator sets the weight of a node in the layout; the weight that a node reports counts only when it joins.
 */
export function layoutWithNode(
  current: Layout | undefined,
  node: LayoutNode,
  defaults: LayoutDefaults,
): Layout | undefined {
  const known = current?.nodes.find(({ nodeId }) => nodeId === node.nodeId);
  if (known !== undefined && (node.zone === undefined || node.zone === known.zone)) return undefined;
  const joined = known === undefined ? node : { ...known, zone: node.zone };
  const others = (current?.nodes ?? []).filter(({ nodeId }) => nodeId !== node.nodeId);
  const next = { ...(current ?? { layoutVersion: 0, ...defaults }), nodes: [...others, joined] };
  // A first node of weight 0 makes no ring. It joins when it registers again after a node that takes chunks.
  if (next.nodes.every(({ weight }) => weight === 0)) return undefined;
  return nextLayout(next);
}

/** A node of a layout, and whether it is up. */
export interface KnownNode {
  readonly nodeId: string;
  readonly isUp: boolean;
}

/** The layout without a node that is away, or `undefined` if the others cannot hold all copies, or may be a minority that is cut off. */
export function layoutWithoutNode(current: Layout, nodeId: string, known: readonly KnownNode[]): Layout | undefined {
  const taking = current.nodes.filter(({ weight }) => weight > 0).map((node) => node.nodeId);
  if (!taking.includes(nodeId)) return undefined;
  const upCount = known.filter((node) => node.isUp && taking.includes(node.nodeId)).length;
  if (upCount < current.replicationFactor || upCount <= taking.length / 2) return undefined;
  return nextLayout({ ...current, nodes: current.nodes.filter((node) => node.nodeId !== nodeId) });
}

/**
 * The error of a registration under an id that another URL holds: two nodes under one id would hide each other's chunks.
 *
 * @param hasSameFolder whether both tell the same id of their folder.
 */
export function nodeIdHeld(nodeId: string, holderUrl: string, hasSameFolder = false): AshlarError {
  // A row of an earlier release may hold a password.
  const url = shownUrl(holderUrl);
  const seconds = NODE_DOWN_AFTER_MS / 1000;
  return new AshlarError(
    "PRECONDITION_FAILED",
    `the node id ${nodeId} is held by the node at ${url}, which runs${hasSameFolder ? " over the same folder, or a copy of it" : ""}: give this node an id of its own, or stop that one; without a heartbeat the id is free after ${seconds} s`,
    { details: { nodeId, url } },
  );
}

/** Fills in what the caller left open. @throws {AshlarError} INVALID_ARGUMENT. */
export function resolveLayoutDefaults(options: { readonly replicationFactor?: number | undefined }): LayoutDefaults {
  const { replicationFactor = 3 } = options;
  const max = LIMITS.REPLICATION_FACTOR_MAX;
  if (!Number.isInteger(replicationFactor) || replicationFactor < 1 || replicationFactor > max) {
    throw new AshlarError("INVALID_ARGUMENT", `replicationFactor is an integer from 1 to ${max}`);
  }
  const { VIRTUAL_NODES_PER_NODE: virtualNodesPerNode, PLACEMENT_FORMAT_NEWEST: placementFormat } = LIMITS;
  return { replicationFactor, virtualNodesPerNode, placementFormat };
}
