import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Layout, type LayoutChange, type LayoutServer, shownUrl } from "@ashlar/sdk/ports";
import { validateLayout } from "@ashlar/sdk/ring";
import { SERVER_DOWN_AFTER_MS } from "./server-state.ts";

/** How new clusters are laid out. */
export interface LayoutDefaults {
  readonly replicationFactor: number;
  readonly virtualNodesPerServer: number;
}

/**
 * The layout after a server has registered, or `undefined` if nothing changes: it is in the layout already, in the same zone.
 * The weight of a server in the layout is the operator's; what a node says about itself counts when it joins.
 */
export function layoutWithServer(
  current: Layout | undefined,
  server: LayoutServer,
  defaults: LayoutDefaults,
): Layout | undefined {
  const known = current?.servers.find(({ serverId }) => serverId === server.serverId);
  if (known !== undefined && (server.zone === undefined || server.zone === known.zone)) return undefined;
  const joined = known === undefined ? server : { ...known, zone: server.zone };
  const others = (current?.servers ?? []).filter(({ serverId }) => serverId !== server.serverId);
  const next = { ...(current ?? { layoutVersion: 0, ...defaults }), servers: [...others, joined] };
  // A first server of weight 0 makes no ring; it joins with the first one that takes chunks.
  if (next.servers.every(({ weight }) => weight === 0)) return undefined;
  return nextLayout(next);
}

/**
 * The layout after an operator's change. A weight for a registered server outside of the layout brings it in.
 *
 * @param registered servers by id.
 * @throws {AshlarError} SERVER_NOT_FOUND, INVALID_ARGUMENT (nothing would remain, or bad numbers).
 */
export function changedLayout(
  current: Layout | undefined,
  change: LayoutChange,
  context: { readonly registered: ReadonlyMap<string, LayoutServer>; readonly defaults: LayoutDefaults },
): Layout {
  const servers = new Map((current?.servers ?? []).map((server) => [server.serverId, server]));
  for (const [serverId, weight] of Object.entries(change.weights ?? {})) {
    const server = servers.get(serverId) ?? context.registered.get(serverId);
    if (server === undefined) throw serverNotFound(serverId);
    servers.set(serverId, { ...server, weight });
  }
  for (const serverId of change.removeServerIds ?? []) {
    if (!servers.delete(serverId)) throw serverNotFound(serverId);
  }
  if (servers.size === 0) throw noServerLeft(current, context.registered.size);
  const base = current ?? { layoutVersion: 0, ...context.defaults };
  const replicationFactor = change.replicationFactor ?? base.replicationFactor;
  return nextLayout({ ...base, replicationFactor, servers: [...servers.values()] });
}

/** Of a change that leaves no server in the layout, and why. */
function noServerLeft(current: Layout | undefined, registeredCount: number): AshlarError {
  const why =
    registeredCount === 0
      ? "there is no storage node here; a server with one local store has no layout, and keeps one copy of each chunk"
      : current === undefined
        ? "no storage node is in the layout yet; give one a weight first"
        : "a layout needs a storage node, and none would be left in it";
  return new AshlarError("INVALID_ARGUMENT", why);
}

function nextLayout(layout: Layout): Layout {
  const servers = layout.servers
    .map(({ serverId, zone, weight }) => ({ serverId, ...(zone === undefined ? {} : { zone }), weight }))
    .sort((a, b) => (a.serverId < b.serverId ? -1 : 1));
  const next: Layout = { ...layout, layoutVersion: layout.layoutVersion + 1, servers };
  validateLayout(next);
  return next;
}

/** The error of every call about an unknown server. */
export function serverNotFound(serverId: string): AshlarError {
  return new AshlarError("SERVER_NOT_FOUND", `no server ${serverId} is known here`, { details: { serverId } });
}

/** The error of a registration under an id that another URL holds: two nodes under one id would hide each other's chunks. */
export function serverIdHeld(serverId: string, holderUrl: string): AshlarError {
  // A row of an earlier release may hold a password.
  const url = shownUrl(holderUrl);
  const seconds = SERVER_DOWN_AFTER_MS / 1000;
  return new AshlarError(
    "PRECONDITION_FAILED",
    `the server id ${serverId} is held by the node at ${url}, which runs: give this node an id of its own, or stop that one; without a heartbeat the id is free after ${seconds} s`,
    { details: { serverId, url } },
  );
}

/** Fills in what the caller left open. @throws {AshlarError} INVALID_ARGUMENT. */
export function resolveLayoutDefaults(options: { readonly replicationFactor?: number | undefined }): LayoutDefaults {
  const { replicationFactor = 3 } = options;
  const max = LIMITS.REPLICATION_FACTOR_MAX;
  if (!Number.isInteger(replicationFactor) || replicationFactor < 1 || replicationFactor > max) {
    throw new AshlarError("INVALID_ARGUMENT", `replicationFactor is an integer from 1 to ${max}`);
  }
  return { replicationFactor, virtualNodesPerServer: LIMITS.VIRTUAL_NODES_PER_SERVER };
}
