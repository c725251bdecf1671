import { digestFromBytes } from "@ashlar/sdk/hash";
import {
  type ClusterService,
  decodeLayoutChange,
  decodeNodeRegistration,
  decodeNodeStats,
  encodeClusterSnapshot,
  encodeInteger,
  encodeLayout,
  encodeRegisteredNode,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcCall } from "../gateway-call.ts";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayOperations } from "../operations/index.ts";

/** Every RPC of ClusterService. */
export function createClusterService(
  { perform }: GatewayOperations,
  { limits }: Pick<GatewayContext, "limits">,
): ServiceImpl<typeof ClusterService> {
  return {
    async getCluster({ placementFormat }, call) {
      const known = { placementFormat: Math.max(1, placementFormat) };
      return encodeClusterSnapshot(await perform("getCluster", known, rpcCall(call)), limits);
    },
    registerNode: async (message, call) =>
      encodeRegisteredNode(await perform("registerNode", decodeNodeRegistration(message), rpcCall(call))),
    async heartbeat({ nodeId, stats, damagedChunkIds }, call) {
      const beat = { nodeId, stats: decodeNodeStats(stats), damagedChunkIds: damagedChunkIds.map(digestFromBytes) };
      const { layoutVersion, hasLostDisk } = await perform("heartbeat", beat, rpcCall(call));
      return { layoutVersion: encodeInteger(layoutVersion), hasLostDisk: hasLostDisk ?? false };
    },
    async stopNode({ nodeId }, call) {
      await perform("stopNode", { nodeId }, rpcCall(call));
      return {};
    },
    changeLayout: async (message, call) => ({
      layout: encodeLayout(await perform("changeLayout", decodeLayoutChange(message), rpcCall(call))),
    }),
  };
}
