import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ChangeLayoutRequest as ChangeLayoutRequestMessage,
  type ChangeLayoutRequestSchema,
  type GetClusterResponse as GetClusterResponseMessage,
  type GetClusterResponseSchema,
  type Layout as LayoutMessage,
  type LayoutSchema,
  type Node as NodeMessage,
  type NodeSchema,
  NodeState as NodeStateEnum,
  type NodeStats as NodeStatsMessage,
  type NodeStatsSchema,
  type RegisterNodeRequest as RegisterNodeRequestMessage,
  type RegisterNodeRequestSchema,
} from "../gen/ashlar/v1/cluster_service_pb.js";
import type {
  ClusterSnapshot,
  Layout,
  LayoutChange,
  NodeRecord,
  NodeRegistration,
  NodeState,
  NodeStats,
} from "../ports/index.ts";
import { decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

export { ClusterService } from "../gen/ashlar/v1/cluster_service_pb.js";

/** Limits that a gateway sends with the cluster. */
export interface ClusterLimits {
  readonly inlineMaxBytes: number;
  readonly chunkMaxBytes: number;
}

const STATE_TO_WIRE: Readonly<Record<NodeState, NodeStateEnum>> = {
  up: NodeStateEnum.UP,
  down: NodeStateEnum.DOWN,
  stopped: NodeStateEnum.STOPPED,
};

function decodeState(state: NodeStateEnum): NodeState {
  if (state === NodeStateEnum.UP) return "up";
  return state === NodeStateEnum.STOPPED ? "stopped" : "down";
}

export function encodeLayout(layout: Layout): MessageInitShape<typeof LayoutSchema> {
  return {
    layoutVersion: encodeInteger(layout.layoutVersion),
    replicationFactor: layout.replicationFactor,
    virtualNodesPerNode: layout.virtualNodesPerNode,
    nodes: layout.nodes.map(({ nodeId, zone, weight }) => ({ nodeId, zone: zone ?? "", weight })),
  };
}

export function decodeLayout(message: LayoutMessage | undefined): Layout {
  const layout = required(message, "layout");
  return {
    layoutVersion: decodeInteger(layout.layoutVersion, "layoutVersion"),
    replicationFactor: layout.replicationFactor,
    virtualNodesPerNode: layout.virtualNodesPerNode,
    nodes: layout.nodes.map(({ nodeId, zone, weight }) => ({ nodeId, zone: decodeText(zone), weight })),
  };
}

export function encodeNodeStats(stats: NodeStats): MessageInitShape<typeof NodeStatsSchema> {
  return {
    chunkCount: encodeInteger(stats.chunkCount),
    bytesUsed: encodeInteger(stats.bytesUsed),
    bytesFree: encodeInteger(stats.bytesFree),
    bytesTotal: encodeInteger(stats.bytesTotal),
  };
}

export function decodeNodeStats(message: NodeStatsMessage | undefined): NodeStats {
  const stats = required(message, "stats");
  return {
    chunkCount: decodeInteger(stats.chunkCount, "chunkCount"),
    bytesUsed: decodeInteger(stats.bytesUsed, "bytesUsed"),
    bytesFree: decodeInteger(stats.bytesFree, "bytesFree"),
    bytesTotal: decodeInteger(stats.bytesTotal, "bytesTotal"),
  };
}

function encodeNode(node: NodeRecord): MessageInitShape<typeof NodeSchema> {
  return {
    nodeId: node.nodeId,
    url: node.url,
    zone: node.zone ?? "",
    weight: node.weight,
    softwareVersion: node.softwareVersion,
    state: STATE_TO_WIRE[node.state],
    registeredAtMs: encodeInteger(node.registeredAtMs),
    lastHeartbeatAtMs: encodeInteger(node.lastHeartbeatAtMs),
    stats: node.stats === undefined ? undefined : encodeNodeStats(node.stats),
  };
}

function decodeNode(message: NodeMessage): NodeRecord {
  return {
    nodeId: message.nodeId,
    url: message.url,
    zone: decodeText(message.zone),
    weight: message.weight,
    softwareVersion: message.softwareVersion,
    state: decodeState(message.state),
    registeredAtMs: decodeInteger(message.registeredAtMs, "registeredAtMs"),
    lastHeartbeatAtMs: decodeInteger(message.lastHeartbeatAtMs, "lastHeartbeatAtMs"),
    stats: message.stats === undefined ? undefined : decodeNodeStats(message.stats),
  };
}

export function encodeClusterSnapshot(
  snapshot: ClusterSnapshot,
  limits: ClusterLimits,
): MessageInitShape<typeof GetClusterResponseSchema> {
  return {
    nodes: snapshot.nodes.map(encodeNode),
    layouts: snapshot.layouts.map(encodeLayout),
    inlineMaxBytes: limits.inlineMaxBytes,
    chunkMaxBytes: encodeInteger(limits.chunkMaxBytes),
  };
}

export function decodeClusterSnapshot(message: GetClusterResponseMessage): ClusterSnapshot & ClusterLimits {
  return {
    nodes: message.nodes.map(decodeNode),
    layouts: message.layouts.map(decodeLayout),
    inlineMaxBytes: message.inlineMaxBytes,
    chunkMaxBytes: decodeInteger(message.chunkMaxBytes, "chunkMaxBytes"),
  };
}

export function encodeNodeRegistration(
  registration: NodeRegistration,
): MessageInitShape<typeof RegisterNodeRequestSchema> {
  return {
    nodeId: registration.nodeId,
    url: registration.url,
    zone: registration.zone ?? "",
    weight: registration.weight,
    softwareVersion: registration.softwareVersion,
  };
}

export function decodeNodeRegistration(message: RegisterNodeRequestMessage): NodeRegistration {
  return {
    nodeId: message.nodeId,
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
    removeNodeIds: [...(change.removeNodeIds ?? [])],
  };
}

export function decodeLayoutChange(message: ChangeLayoutRequestMessage): LayoutChange {
  return {
    replicationFactor: message.replicationFactor,
    weights: Object.keys(message.weights).length > 0 ? { ...message.weights } : undefined,
    removeNodeIds: message.removeNodeIds.length > 0 ? message.removeNodeIds : undefined,
  };
}
