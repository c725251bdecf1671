import type { ClusterSnapshot, Layout, LayoutHistory, ServerRegistration, ServerRegistry } from "@ashlar/sdk/ports";
import {
  changedLayout,
  layoutWithServer,
  serverIdHeld,
  serverNotFound,
} from "../../internal/metadata/layout-changes.ts";
import { serverState } from "../../internal/metadata/server-state.ts";
import type { MemoryState, ServerRow } from "./state.ts";

export function memoryServers(state: MemoryState): ServerRegistry & LayoutHistory {
  return {
    async registerServer(registration) {
      const row = registeredRow(state, registration);
      if (!state.stagedLayouts && !row.removedFromLayout) {
        const next = layoutWithServer(state.layouts.at(-1), row, state.layoutDefaults);
        if (next !== undefined) addLayout(state, next);
      }
      state.servers.set(row.serverId, row);
      return { layoutVersion: newestVersion(state) };
    },
    async heartbeat({ serverId, stats }) {
      const row = requireServer(state, serverId);
      state.servers.set(serverId, { ...row, stats, stopped: false, lastHeartbeatAtMs: state.clock.nowMs() });
      return { layoutVersion: newestVersion(state) };
    },
    async stopServer(serverId) {
      state.servers.set(serverId, { ...requireServer(state, serverId), stopped: true });
    },
    clusterSnapshot: async () => clusterSnapshot(state),
    async recentLayouts({ forMs, limit }) {
      const sinceMs = state.clock.nowMs() - forMs;
      const newestThen = state.layouts.findLastIndex(
        ({ layoutVersion }) => (state.layoutsSinceMs.get(layoutVersion) ?? 0) <= sinceMs,
      );
      return state.layouts.slice(Math.max(0, newestThen)).reverse().slice(0, limit);
    },
    async changeLayout(change) {
      const context = { registered: state.servers, defaults: state.layoutDefaults };
      const layout = changedLayout(state.layouts.at(-1), change, context);
      addLayout(state, layout);
      for (const { serverId, weight } of layout.servers) {
        const row = state.servers.get(serverId);
        if (row !== undefined) state.servers.set(serverId, { ...row, weight, removedFromLayout: false });
      }
      for (const serverId of change.removeServerIds ?? []) {
        const row = state.servers.get(serverId);
        if (row !== undefined) state.servers.set(serverId, { ...row, removedFromLayout: true });
      }
      return layout;
    },
  };
}

function addLayout(state: MemoryState, layout: Layout): void {
  state.layouts.push(layout);
  state.layoutsSinceMs.set(layout.layoutVersion, state.clock.nowMs());
}

function registeredRow(state: MemoryState, registration: ServerRegistration): ServerRow {
  const { serverId, url, softwareVersion } = registration;
  const nowMs = state.clock.nowMs();
  const known = state.servers.get(serverId);
  if (known !== undefined && known.url !== url && serverState(known, nowMs) === "up") {
    throw serverIdHeld(serverId, known.url);
  }
  const zone = registration.zone ?? known?.zone;
  const inLayout = state.layouts.at(-1)?.servers.some((server) => server.serverId === serverId) ?? false;
  return {
    ...{ serverId, url, ...(zone === undefined ? {} : { zone }) },
    // In the layout the operator's weight holds.
    weight: (inLayout ? known?.weight : (registration.weight ?? known?.weight)) ?? 1,
    ...{ softwareVersion, registeredAtMs: known?.registeredAtMs ?? nowMs, lastHeartbeatAtMs: nowMs },
    ...(known?.stats === undefined ? {} : { stats: known.stats }),
    ...{ stopped: false, removedFromLayout: known?.removedFromLayout ?? false },
  };
}

function requireServer(state: MemoryState, serverId: string): ServerRow {
  const row = state.servers.get(serverId);
  if (row === undefined) throw serverNotFound(serverId);
  return row;
}

function newestVersion(state: MemoryState): number {
  return state.layouts.at(-1)?.layoutVersion ?? 0;
}

function clusterSnapshot(state: MemoryState): ClusterSnapshot {
  const nowMs = state.clock.nowMs();
  const newest = newestVersion(state);
  const used = new Set([...state.chunks.values()].map((row) => row.layoutVersion));
  const rows = [...state.servers.values()].sort((a, b) => (a.serverId < b.serverId ? -1 : 1));
  return {
    servers: rows.map((row) => {
      const { stopped: _stopped, removedFromLayout: _removed, ...record } = row;
      return { ...record, state: serverState(row, nowMs) };
    }),
    layouts: state.layouts.filter(({ layoutVersion }) => layoutVersion === newest || used.has(layoutVersion)).reverse(),
  };
}
