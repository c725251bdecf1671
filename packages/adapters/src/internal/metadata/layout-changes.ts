import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Layout, type LayoutChange, type LayoutNode, shownUrl } from "@ashlar/sdk/ports";
import { validateLayout } from "@ashlar/sdk/ring";
import { NODE_DOWN_AFTER_MS } from "./node-state.ts";

/** How new clusters are laid out. */
export interface LayoutDefaults {
  readonly replicationFactor: number;
  readonly virtualNodesPerNode: number;
}

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

/**
 * The layout after an operator's change. A weight for a registered node outside of the layout brings it in.
 *
 * @param registered nodes by id.
 * @throws {AshlarError} NODE_NOT_FOUND, INVALID_ARGUMENT (nothing would remain, or bad numbers).
 */
export function changedLayout(
  current: Layout | undefined,
  change: LayoutChange,
  context: { readonly registered: ReadonlyMap<string, LayoutNode>; readonly defaults: LayoutDefaults },
): Layout {
  const nodes = new Map((current?.nodes ?? []).map((node) => [node.nodeId, node]));
  for (const [nodeId, weight] of Object.entries(change.weights ?? {})) {
    const node = nodes.get(nodeId) ?? context.registered.get(nodeId);
    if (node === undefined) throw nodeNotFound(nodeId);
    nodes.set(nodeId, { ...node, weight });
  }
  for (const nodeId of change.removeNodeIds ?? []) {
    if (!nodes.delete(nodeId)) throw nodeNotFound(nodeId);
  }
  if (nodes.size === 0) throw noNodeLeft(current, context.registered.size);
  const base = current ?? { layoutVersion: 0, ...context.defaults };
  const replicationFactor = change.replicationFactor ?? base.replicationFactor;
  return nextLayout({ ...base, replicationFactor, nodes: [...nodes.values()] });
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

/** The error of a change that leaves no node in the layout, with the reason. */
function noNodeLeft(current: Layout | undefined, registeredCount: number): AshlarError {
  const why =
    registeredCount === 0
      ? "there is no storage node here; a server with one local store has no layout, and keeps one copy of each chunk"
      : current === undefined
        ? "no storage node is in the layout yet; give one a weight first"
        : "a layout needs a storage node, and none would be left in it";
  return new AshlarError("INVALID_ARGUMENT", why);
}

function nextLayout(layout: Layout): Layout {
  const nodes = layout.nodes
    .map(({ nodeId, zone, weight }) => ({ nodeId, ...(zone === undefined ? {} : { zone }), weight }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const next: Layout = { ...layout, layoutVersion: layout.layoutVersion + 1, nodes };
  validateLayout(next);
  return next;
}

/** The error of every call about an unknown node. */
export function nodeNotFound(nodeId: string): AshlarError {
  return new AshlarError("NODE_NOT_FOUND", `no node ${nodeId} is known here`, { details: { nodeId } });
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
  return { replicationFactor, virtualNodesPerNode: LIMITS.VIRTUAL_NODES_PER_NODE };
}
