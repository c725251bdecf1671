import { AshlarError } from "../errors/index.ts";
import type { Layout, LayoutNode } from "../ring/layout.ts";
import { validateLayout } from "../ring/validate-layout.ts";
import type { LayoutChange } from "./nodes.ts";

/** How new clusters are laid out. */
export interface LayoutDefaults {
  readonly replicationFactor: number;
  readonly virtualNodesPerNode: number;
  /** Default 1. */
  readonly placementFormat?: number | undefined;
}

/**
 * The layout after an operator's change; `current` itself if nothing changes. A weight for a registered node outside of the layout brings it in.
 *
 * @param context.registered nodes by id.
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
  const placementFormat = change.placementFormat ?? base.placementFormat;
  const next = nextLayout({ ...base, replicationFactor, placementFormat, nodes: [...nodes.values()] });
  const isSame = JSON.stringify({ ...next, layoutVersion: current?.layoutVersion }) === JSON.stringify(current);
  return isSame && current !== undefined ? current : next;
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

/** A new version of a layout: its nodes in order, checked. @throws {AshlarError} INVALID_ARGUMENT for bad numbers, or no node of weight > 0. */
export function nextLayout(layout: Layout): Layout {
  const nodes = layout.nodes
    .map(({ nodeId, zone, weight }) => ({ nodeId, ...(zone === undefined ? {} : { zone }), weight }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  // Layouts of earlier releases name no format; it is 1.
  const placementFormat = layout.placementFormat === 1 ? undefined : layout.placementFormat;
  const next: Layout = { ...layout, layoutVersion: layout.layoutVersion + 1, placementFormat, nodes };
  validateLayout(next);
  return next;
}

/** The error of every call about an unknown node. */
export function nodeNotFound(nodeId: string): AshlarError {
  return new AshlarError("NODE_NOT_FOUND", `no node ${nodeId} is known here`, { details: { nodeId } });
}
