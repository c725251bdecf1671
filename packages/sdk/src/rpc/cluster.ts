import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ChangeLayoutRequest as ChangeLayoutRequestMessage,
  type ChangeLayoutRequestSchema,
  type GetClusterResponse as GetClusterResponseMessage,
  type GetClusterResponseSchema,
  type Layout as LayoutMessage,
  type LayoutSchema,
  type RegisterServerRequest as RegisterServerRequestMessage,
  type RegisterServerRequestSchema,
  type Server as ServerMessage,
  type ServerSchema,
  ServerState as ServerStateEnum,
  type ServerStats as ServerStatsMessage,
  type ServerStatsSchema,
} from "../gen/ashlar/v1/cluster_service_pb.js";
import type {
  ClusterSnapshot,
  Layout,
  LayoutChange,
  ServerRecord,
  ServerRegistration,
  ServerState,
  ServerStats,
} from "../ports/index.ts";
import { decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

export { ClusterService } from "../gen/ashlar/v1/cluster_service_pb.js";

/** Limits that a gateway tells with the cluster. */
export interface ClusterLimits {
  readonly inlineMaxBytes: number;
  readonly chunkMaxBytes: number;
}

const STATE_TO_WIRE: Readonly<Record<ServerState, ServerStateEnum>> = {
  up: ServerStateEnum.UP,
  down: ServerStateEnum.DOWN,
  stopped: ServerStateEnum.STOPPED,
};

function decodeState(state: ServerStateEnum): ServerState {
  if (state === ServerStateEnum.UP) return "up";
  return state === ServerStateEnum.STOPPED ? "stopped" : "down";
}

export function encodeLayout(layout: Layout): MessageInitShape<typeof LayoutSchema> {
  return {
    layoutVersion: encodeInteger(layout.layoutVersion),
    replicationFactor: layout.replicationFactor,
    virtualNodesPerServer: layout.virtualNodesPerServer,
    servers: layout.servers.map(({ serverId, zone, weight }) => ({ serverId, zone: zone ?? "", weight })),
  };
}

export function decodeLayout(message: LayoutMessage | undefined): Layout {
  const layout = required(message, "layout");
  return {
    layoutVersion: decodeInteger(layout.layoutVersion, "layoutVersion"),
    replicationFactor: layout.replicationFactor,
    virtualNodesPerServer: layout.virtualNodesPerServer,
    servers: layout.servers.map(({ serverId, zone, weight }) => ({ serverId, zone: decodeText(zone), weight })),
  };
}

export function encodeServerStats(stats: ServerStats): MessageInitShape<typeof ServerStatsSchema> {
  return {
    chunkCount: encodeInteger(stats.chunkCount),
    bytesUsed: encodeInteger(stats.bytesUsed),
    bytesFree: encodeInteger(stats.bytesFree),
    bytesTotal: encodeInteger(stats.bytesTotal),
  };
}

export function decodeServerStats(message: ServerStatsMessage | undefined): ServerStats {
  const stats = required(message, "stats");
  return {
    chunkCount: decodeInteger(stats.chunkCount, "chunkCount"),
    bytesUsed: decodeInteger(stats.bytesUsed, "bytesUsed"),
    bytesFree: decodeInteger(stats.bytesFree, "bytesFree"),
    bytesTotal: decodeInteger(stats.bytesTotal, "bytesTotal"),
  };
}

function encodeServer(server: ServerRecord): MessageInitShape<typeof ServerSchema> {
  return {
    serverId: server.serverId,
    url: server.url,
    zone: server.zone ?? "",
    weight: server.weight,
    softwareVersion: server.softwareVersion,
    state: STATE_TO_WIRE[server.state],
    registeredAtMs: encodeInteger(server.registeredAtMs),
    lastHeartbeatAtMs: encodeInteger(server.lastHeartbeatAtMs),
    stats: server.stats === undefined ? undefined : encodeServerStats(server.stats),
  };
}

function decodeServer(message: ServerMessage): ServerRecord {
  return {
    serverId: message.serverId,
    url: message.url,
    zone: decodeText(message.zone),
    weight: message.weight,
    softwareVersion: message.softwareVersion,
    state: decodeState(message.state),
    registeredAtMs: decodeInteger(message.registeredAtMs, "registeredAtMs"),
    lastHeartbeatAtMs: decodeInteger(message.lastHeartbeatAtMs, "lastHeartbeatAtMs"),
    stats: message.stats === undefined ? undefined : decodeServerStats(message.stats),
  };
}

export function encodeClusterSnapshot(
  snapshot: ClusterSnapshot,
  limits: ClusterLimits,
): MessageInitShape<typeof GetClusterResponseSchema> {
  return {
    servers: snapshot.servers.map(encodeServer),
    layouts: snapshot.layouts.map(encodeLayout),
    inlineMaxBytes: limits.inlineMaxBytes,
    chunkMaxBytes: encodeInteger(limits.chunkMaxBytes),
  };
}

export function decodeClusterSnapshot(message: GetClusterResponseMessage): ClusterSnapshot & ClusterLimits {
  return {
    servers: message.servers.map(decodeServer),
    layouts: message.layouts.map(decodeLayout),
    inlineMaxBytes: message.inlineMaxBytes,
    chunkMaxBytes: decodeInteger(message.chunkMaxBytes, "chunkMaxBytes"),
  };
}

export function encodeServerRegistration(
  registration: ServerRegistration,
): MessageInitShape<typeof RegisterServerRequestSchema> {
  return {
    serverId: registration.serverId,
    url: registration.url,
    zone: registration.zone ?? "",
    weight: registration.weight,
    softwareVersion: registration.softwareVersion,
  };
}

export function decodeServerRegistration(message: RegisterServerRequestMessage): ServerRegistration {
  return {
    serverId: message.serverId,
    url: message.url,
    zone: decodeText(message.zone),
    weight: message.weight,
    softwareVersion: message.softwareVersion,
  };
}

export function encodeLayoutChange(change: LayoutChange): MessageInitShape<typeof ChangeLayoutRequestSchema> {
  return {
    replicationFactor: change.replicationFactor,
    weights: { ...change.weights },
    removeServerIds: [...(change.removeServerIds ?? [])],
  };
}

export function decodeLayoutChange(message: ChangeLayoutRequestMessage): LayoutChange {
  return {
    replicationFactor: message.replicationFactor,
    weights: Object.keys(message.weights).length > 0 ? { ...message.weights } : undefined,
    removeServerIds: message.removeServerIds.length > 0 ? message.removeServerIds : undefined,
  };
}
