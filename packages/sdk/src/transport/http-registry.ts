import * as LIMITS from "../limit-values.ts";
import type {
  Layout,
  LostDisk,
  LostDiskKind,
  NodeRecord,
  NodeRegistry,
  NodeState,
  RemainingWork,
  WriteOptions,
} from "../ports/index.ts";
import type { HttpConnection } from "./http-connection.ts";
import { answerOf } from "./http-messages.ts";
import {
  base64FromBytes,
  integerOf,
  type JsonMessage,
  listOf,
  messageOf,
  optionalTextOf,
  textOf,
} from "./proto-json.ts";

type Call = (method: string, request: object, options: WriteOptions | undefined) => Promise<JsonMessage>;

/** A gateway's ClusterService in JSON as a node registry, with its messages. `lazyNodeRegistry` loads this file. */
export function openHttpNodeRegistry(connection: HttpConnection): NodeRegistry {
  const call: Call = (method, request, options) => connection.rpc(`ClusterService/${method}`, request, options);
  return {
    async registerNode(registration, options) {
      const message = await call("RegisterNode", registration, options);
      const lostDisk = lostDiskFrom(message);
      return { layoutVersion: integerOf(message, "layoutVersion"), ...(lostDisk && { lostDisk }) };
    },
    async heartbeat(beat, options) {
      const damagedChunkIds = beat.damagedChunkIds?.map(base64FromBytes);
      const message = await call("Heartbeat", { ...beat, damagedChunkIds }, options);
      const layoutVersion = integerOf(message, "layoutVersion");
      return { layoutVersion, ...(message.hasLostDisk === true && { hasLostDisk: true }) };
    },
    async stopNode(nodeId, options) {
      await call("StopNode", { nodeId }, options);
    },
    async clusterSnapshot(options) {
      const message = await call("GetCluster", { placementFormat: LIMITS.PLACEMENT_FORMAT_NEWEST }, options);
      return {
        nodes: listOf(message, "nodes").map(nodeFrom),
        layouts: listOf(message, "layouts").map(layoutFrom),
        ...("work" in message && { work: workFrom(messageOf(message, "work")) }),
      };
    },
    changeLayout: async (change, options) =>
      layoutFrom(answerOf(await call("ChangeLayout", change, options), "layout")),
  };
}

function workFrom(message: JsonMessage): RemainingWork {
  const [count, expectedEndAtMs] = [(name: string) => integerOf(message, name), integerOf(message, "expectedEndAtMs")];
  return {
    layoutsInUse: count("layoutsInUse"),
    chunksBehind: count("chunksBehind"),
    copiesWaiting: count("copiesWaiting"),
    copyBytesWaiting: count("copyBytesWaiting"),
    copiesFailing: count("copiesFailing"),
    countedAtMs: count("countedAtMs"),
    ...(expectedEndAtMs > 0 && { expectedEndAtMs }),
  };
}

function layoutFrom(message: JsonMessage): Layout {
  return {
    layoutVersion: integerOf(message, "layoutVersion"),
    replicationFactor: integerOf(message, "replicationFactor"),
    virtualNodesPerNode: integerOf(message, "virtualNodesPerNode"),
    placementFormat: integerOf(message, "placementFormat") || undefined,
    nodes: listOf(message, "nodes").map((node) => ({
      nodeId: textOf(node, "nodeId"),
      zone: optionalTextOf(node, "zone"),
      weight: Number(node.weight ?? 0),
    })),
  };
}

/** The lost disk of a node or of an answer to a registration. A kind that only a newer release knows is another folder. */
function lostDiskFrom(message: JsonMessage): LostDisk | undefined {
  if (!("lostDisk" in message)) return undefined;
  const lost = messageOf(message, "lostDisk");
  const kind = textOf(lost, "kind").slice("LOST_DISK_KIND_".length).toLowerCase();
  return {
    kind: kind === "emptied" || kind === "replaced" ? kind : ("other" satisfies LostDiskKind),
    atMs: integerOf(lost, "atMs"),
    chunkCount: integerOf(lost, "chunkCount"),
    bytesUsed: integerOf(lost, "bytesUsed"),
    isQueued: lost.isQueued === true,
  };
}

function nodeFrom(message: JsonMessage): NodeRecord {
  const stats = messageOf(message, "stats");
  const state = textOf(message, "state").slice("NODE_STATE_".length).toLowerCase();
  return {
    nodeId: textOf(message, "nodeId"),
    url: textOf(message, "url"),
    zone: optionalTextOf(message, "zone"),
    weight: Number(message.weight ?? 0),
    softwareVersion: textOf(message, "softwareVersion"),
    state: state === "up" || state === "stopped" ? state : ("down" satisfies NodeState),
    registeredAtMs: integerOf(message, "registeredAtMs"),
    lastHeartbeatAtMs: integerOf(message, "lastHeartbeatAtMs"),
    stats:
      "stats" in message
        ? {
            chunkCount: integerOf(stats, "chunkCount"),
            bytesUsed: integerOf(stats, "bytesUsed"),
            bytesFree: integerOf(stats, "bytesFree"),
            bytesTotal: integerOf(stats, "bytesTotal"),
          }
        : undefined,
    lostDisk: lostDiskFrom(message),
  };
}
