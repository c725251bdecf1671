import {
  type AwayNodes,
  type ClusterSnapshot,
  changedLayout,
  type Layout,
  type LayoutChange,
  type LayoutHistory,
  type NodeRegistration,
  type NodeRegistry,
  type NodeStats,
  nodeNotFound,
} from "@ashlar/sdk/ports";
import { assertForgettable, forgottenDisk } from "../../internal/metadata/forgotten-nodes.ts";
import { layoutWithNode, layoutWithoutNode, nodeIdHeld } from "../../internal/metadata/layout-changes.ts";
import { diskLost, isRefused, newLostDisk } from "../../internal/metadata/lost-disk.ts";
import { nodeState } from "../../internal/metadata/node-state.ts";
import { queueDamagedCopies } from "./repairs.ts";
import type { MemoryState, NodeRow } from "./state.ts";

export function memoryNodes(state: MemoryState): NodeRegistry & AwayNodes & LayoutHistory {
  return {
    async registerNode(registration) {
      const row = registeredRow(state, registration);
      if (!state.stagedLayouts && !row.removedFromLayout) {
        const next = layoutWithNode(state.layouts.at(-1), row, state.layoutDefaults);
        if (next !== undefined) addLayout(state, next);
      }
      state.nodes.set(row.nodeId, row);
      const { lostDisk } = row;
      return { layoutVersion: newestVersion(state), ...(lostDisk && { lostDisk }) };
    },
    async heartbeat({ nodeId, stats, damagedChunkIds = [] }) {
      const row = requireNode(state, nodeId);
      if (row.leftOut === true) throw nodeNotFound(nodeId);
      state.nodes.set(nodeId, { ...row, stats, stopped: false, lastHeartbeatAtMs: state.clock.nowMs() });
      queueDamagedCopies(state, nodeId, damagedChunkIds);
      return { layoutVersion: newestVersion(state), ...(row.lostDisk && { hasLostDisk: true }) };
    },
    async stopNode(nodeId) {
      state.nodes.set(nodeId, { ...requireNode(state, nodeId), stopped: true });
    },
    clusterSnapshot: async () => clusterSnapshot(state),
    async recentLayouts({ forMs, limit }) {
      const sinceMs = state.clock.nowMs() - forMs;
      const newestThen = state.layouts.findLastIndex(
        ({ layoutVersion }) => (state.layoutsSinceMs.get(layoutVersion) ?? 0) <= sinceMs,
      );
      return state.layouts.slice(Math.max(0, newestThen)).reverse().slice(0, limit);
    },
    leaveOutNode: async (query) => leaveOutNode(state, query),
    async changeLayout(change) {
      const context = { registered: state.nodes, defaults: state.layoutDefaults };
      const layout = changedLayout(state.layouts.at(-1), change, context);
      assertAllForgettable(state, layout, change);
      if (layout !== state.layouts.at(-1)) addLayout(state, layout);
      for (const { nodeId, weight } of layout.nodes) {
        const row = state.nodes.get(nodeId);
        if (row !== undefined) state.nodes.set(nodeId, { ...row, weight, removedFromLayout: false });
      }
      for (const nodeId of change.removeNodeIds ?? []) {
        const row = state.nodes.get(nodeId);
        if (row !== undefined) state.nodes.set(nodeId, { ...row, removedFromLayout: true });
      }
      for (const nodeId of change.forgetNodeIds ?? []) state.nodes.delete(nodeId);
      return layout;
    },
  };
}

/** Before anything is changed. */
function assertAllForgettable(
  state: MemoryState,
  layout: Layout,
  { forgetNodeIds = [], acceptLoss }: LayoutChange,
): void {
  const layouts = [layout, ...layoutsInUse(state).filter(({ layoutVersion }) => layoutVersion < layout.layoutVersion)];
  for (const nodeId of forgetNodeIds) {
    const row = requireNode(state, nodeId);
    assertForgettable({ nodeId, state: nodeState(row, state.clock.nowMs()) }, { layouts, acceptLoss });
  }
}

function addLayout(state: MemoryState, layout: Layout): void {
  state.layouts.push(layout);
  state.layoutsSinceMs.set(layout.layoutVersion, state.clock.nowMs());
}

function registeredRow(state: MemoryState, registration: NodeRegistration): NodeRow {
  const { nodeId, url, softwareVersion } = registration;
  const nowMs = state.clock.nowMs();
  const known = state.nodes.get(nodeId);
  if (known !== undefined && known.url !== url && nodeState(known, nowMs) === "up") {
    throw nodeIdHeld(
      nodeId,
      known.url,
      registration.folderId !== undefined && registration.folderId === known.folderId,
    );
  }
  const lost =
    known === undefined
      ? forgottenDisk(registration, layoutsInUse(state), nowMs)
      : newLostDisk({ ...known, ...known.stats }, registration, nowMs);
  if (lost !== undefined && isRefused(registration, lost)) throw diskLost(nodeId, lost);
  if (lost !== undefined)
    for (const [key, repair] of state.repairs)
      if (repair.standInId === nodeId) state.repairs.set(key, { ...repair, standInId: undefined });
  const zone = registration.zone ?? known?.zone;
  const inLayout = state.layouts.at(-1)?.nodes.some((node) => node.nodeId === nodeId) ?? false;
  return {
    ...{ nodeId, url, ...(zone === undefined ? {} : { zone }) },
    // In the layout the operator's weight holds, also when it was left out for a time.
    weight: (inLayout || known?.leftOut ? known?.weight : (registration.weight ?? known?.weight)) ?? 1,
    ...{ softwareVersion, registeredAtMs: known?.registeredAtMs ?? nowMs, lastHeartbeatAtMs: nowMs },
    ...(known?.stats === undefined ? {} : { stats: lost === undefined ? known.stats : withoutChunks(known.stats) }),
    folderId: registration.folderId ?? known?.folderId,
    ...(known?.lostDisk === undefined ? {} : { lostDisk: known.lostDisk, lostCursor: known.lostCursor }),
    ...(lost === undefined ? {} : { lostDisk: lost, lostCursor: "" }),
    ...{ stopped: false, removedFromLayout: known?.removedFromLayout ?? false },
  };
}

/** Until the next heartbeat, so that registering again is no second loss. */
const withoutChunks = (stats: NodeStats): NodeStats => ({ ...stats, chunkCount: 0, bytesUsed: 0 });

function leaveOutNode(
  state: MemoryState,
  { nodeId, awayForMs }: { readonly nodeId: string; readonly awayForMs: number },
): Layout | undefined {
  const nowMs = state.clock.nowMs();
  const [row, layout] = [state.nodes.get(nodeId), state.layouts.at(-1)];
  if (row === undefined || layout === undefined || state.stagedLayouts) return undefined;
  if (nodeState(row, nowMs) === "up" || nowMs - row.lastHeartbeatAtMs < awayForMs) return undefined;
  const known = [...state.nodes.values()].map((node) => ({
    nodeId: node.nodeId,
    isUp: nodeState(node, nowMs) === "up",
  }));
  const next = layoutWithoutNode(layout, nodeId, known);
  if (next === undefined) return undefined;
  addLayout(state, next);
  state.nodes.set(nodeId, { ...row, leftOut: true });
  return next;
}

function requireNode(state: MemoryState, nodeId: string): NodeRow {
  const row = state.nodes.get(nodeId);
  if (row === undefined) throw nodeNotFound(nodeId);
  return row;
}

function newestVersion(state: MemoryState): number {
  return state.layouts.at(-1)?.layoutVersion ?? 0;
}

function clusterSnapshot(state: MemoryState): ClusterSnapshot {
  const nowMs = state.clock.nowMs();
  const rows = [...state.nodes.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  return {
    nodes: rows.map((row) => {
      const { stopped: _s, removedFromLayout: _r, leftOut: _l, folderId: _f, lostCursor: _c, ...record } = row;
      return { ...record, state: nodeState(row, nowMs) };
    }),
    layouts: layoutsInUse(state),
  };
}

/** Newest first. */
function layoutsInUse(state: MemoryState): readonly Layout[] {
  const newest = newestVersion(state);
  const used = new Set([...state.chunks.values()].map((row) => row.layoutVersion));
  return state.layouts.filter(({ layoutVersion }) => layoutVersion === newest || used.has(layoutVersion)).reverse();
}
