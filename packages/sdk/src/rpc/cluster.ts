import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ChangeLayoutRequest as ChangeLayoutRequestMessage,
  type ChangeLayoutRequestSchema,
  type GetClusterResponse as GetClusterResponseMessage,
  type GetClusterResponseSchema,
  type Layout as LayoutMessage,
  type LayoutSchema,
  LostDiskKind as LostDiskKindEnum,
  type LostDisk as LostDiskMessage,
  type LostDiskSchema,
  type Node as NodeMessage,
  type NodeSchema,
  NodeState as NodeStateEnum,
  type NodeStats as NodeStatsMessage,
  type NodeStatsSchema,
  type RegisterNodeRequest as RegisterNodeRequestMessage,
  type RegisterNodeRequestSchema,
  type RegisterNodeResponse as RegisterNodeResponseMessage,
  type RegisterNodeResponseSchema,
  type RemainingWork as RemainingWorkMessage,
  type RemainingWorkSchema,
} from "../gen/ashlar/v1/cluster_service_pb.js";
import type {
  ClusterSnapshot,
  Layout,
  LayoutChange,
  LostDisk,
  LostDiskKind,
  NodeRecord,
  NodeRegistration,
  NodeState,
  NodeStats,
  RegisteredNode,
  RemainingWork,
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
    placementFormat: layout.placementFormat ?? 0,
    nodes: layout.nodes.map(({ nodeId, zone, weight }) => ({ nodeId, zone: zone ?? "", weight })),
  };
}

export function decodeLayout(message: LayoutMessage | undefined): Layout {
  const layout = required(message, "layout");
  return {
    layoutVersion: decodeInteger(layout.layoutVersion, "layoutVersion"),
    replicationFactor: layout.replicationFactor,
    virtualNodesPerNode: layout.virtualNodesPerNode,
    ...(layout.placementFormat > 1 && { placementFormat: layout.placementFormat }),
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

const LOST_TO_WIRE: Readonly<Record<LostDiskKind, LostDiskKindEnum>> = {
  emptied: LostDiskKindEnum.EMPTIED,
  replaced: LostDiskKindEnum.REPLACED,
  other: LostDiskKindEnum.OTHER,
};

/** A kind that only a newer release knows is another folder. */
function decodeLostKind(kind: LostDiskKindEnum): LostDiskKind {
  if (kind === LostDiskKindEnum.EMPTIED) return "emptied";
  return kind === LostDiskKindEnum.REPLACED ? "replaced" : "other";
}

function encodeLostDisk(lost: LostDisk): MessageInitShape<typeof LostDiskSchema> {
  const { kind, atMs, chunkCount, bytesUsed, isQueued } = lost;
  return {
    kind: LOST_TO_WIRE[kind],
    atMs: encodeInteger(atMs),
    chunkCount: encodeInteger(chunkCount),
    bytesUsed: encodeInteger(bytesUsed),
    isQueued,
  };
}

function decodeLostDisk({ kind, atMs, chunkCount, bytesUsed, isQueued }: LostDiskMessage): LostDisk {
  return {
    kind: decodeLostKind(kind),
    atMs: decodeInteger(atMs, "atMs"),
    chunkCount: decodeInteger(chunkCount, "chunkCount"),
    bytesUsed: decodeInteger(bytesUsed, "bytesUsed"),
    isQueued,
  };
}

export function encodeRegisteredNode(node: RegisteredNode): MessageInitShape<typeof RegisterNodeResponseSchema> {
  return {
    layoutVersion: encodeInteger(node.layoutVersion),
    lostDisk: node.lostDisk && encodeLostDisk(node.lostDisk),
  };
}

export function decodeRegisteredNode({ layoutVersion, lostDisk }: RegisterNodeResponseMessage): RegisteredNode {
  return {
    layoutVersion: decodeInteger(layoutVersion, "layoutVersion"),
    ...(lostDisk && { lostDisk: decodeLostDisk(lostDisk) }),
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
    lostDisk: node.lostDisk && encodeLostDisk(node.lostDisk),
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
    lostDisk: message.lostDisk && decodeLostDisk(message.lostDisk),
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
    work: snapshot.work && encodeWork(snapshot.work),
  };
}

function encodeWork(work: RemainingWork): MessageInitShape<typeof RemainingWorkSchema> {
  return {
    layoutsInUse: work.layoutsInUse,
    chunksBehind: encodeInteger(work.chunksBehind),
    copiesWaiting: encodeInteger(work.copiesWaiting),
    copyBytesWaiting: encodeInteger(work.copyBytesWaiting),
    copiesFailing: encodeInteger(work.copiesFailing),
    countedAtMs: encodeInteger(work.countedAtMs),
    expectedEndAtMs: encodeInteger(work.expectedEndAtMs ?? 0),
  };
}

function decodeWork(message: RemainingWorkMessage): RemainingWork {
  const expectedEndAtMs = decodeInteger(message.expectedEndAtMs, "expectedEndAtMs");
  return {
    layoutsInUse: message.layoutsInUse,
    chunksBehind: decodeInteger(message.chunksBehind, "chunksBehind"),
    copiesWaiting: decodeInteger(message.copiesWaiting, "copiesWaiting"),
    copyBytesWaiting: decodeInteger(message.copyBytesWaiting, "copyBytesWaiting"),
    copiesFailing: decodeInteger(message.copiesFailing, "copiesFailing"),
    countedAtMs: decodeInteger(message.countedAtMs, "countedAtMs"),
    ...(expectedEndAtMs > 0 && { expectedEndAtMs }),
  };
}

export function decodeClusterSnapshot(message: GetClusterResponseMessage): ClusterSnapshot & ClusterLimits {
  return {
    nodes: message.nodes.map(decodeNode),
    layouts: message.layouts.map(decodeLayout),
    inlineMaxBytes: message.inlineMaxBytes,
    chunkMaxBytes: decodeInteger(message.chunkMaxBytes, "chunkMaxBytes"),
    ...(message.work && { work: decodeWork(message.work) }),
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
    folderId: registration.folderId ?? "",
    chunkCount: registration.chunkCount === undefined ? undefined : encodeInteger(registration.chunkCount),
    refuseLostDisk: registration.refuseLostDisk ?? false,
  };
}

export function decodeNodeRegistration(message: RegisterNodeRequestMessage): NodeRegistration {
  return {
    nodeId: message.nodeId,
    url: message.url,
    zone: decodeText(message.zone),
    weight: message.weight,
    softwareVersion: message.softwareVersion,
    folderId: decodeText(message.folderId),
    chunkCount: message.chunkCount === undefined ? undefined : decodeInteger(message.chunkCount, "chunkCount"),
    refuseLostDisk: message.refuseLostDisk || undefined,
  };
}

export function encodeLayoutChange(change: LayoutChange): MessageInitShape<typeof ChangeLayoutRequestSchema> {
  return {
    replicationFactor: change.replicationFactor,
    weights: { ...change.weights },
    removeNodeIds: [...(change.removeNodeIds ?? [])],
    forgetNodeIds: [...(change.forgetNodeIds ?? [])],
    acceptLoss: change.acceptLoss ?? false,
    placementFormat: change.placementFormat,
  };
}

export function decodeLayoutChange(message: ChangeLayoutRequestMessage): LayoutChange {
  return {
    replicationFactor: message.replicationFactor,
    weights: Object.keys(message.weights).length > 0 ? { ...message.weights } : undefined,
    removeNodeIds: message.removeNodeIds.length > 0 ? message.removeNodeIds : undefined,
    ...(message.forgetNodeIds.length > 0 && { forgetNodeIds: message.forgetNodeIds, acceptLoss: message.acceptLoss }),
    placementFormat: message.placementFormat,
  };
}
