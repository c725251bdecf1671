import {
  type ClusterService,
  decodeLayoutChange,
  decodeNodeRegistration,
  decodeNodeStats,
  encodeClusterSnapshot,
  encodeInteger,
  encodeLayout,
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
    getCluster: async (_message, call) => encodeClusterSnapshot(await perform("getCluster", {}, rpcCall(call)), limits),
    registerNode: async (message, call) => ({
      layoutVersion: encodeInteger(await perform("registerNode", decodeNodeRegistration(message), rpcCall(call))),
    }),
    heartbeat: async ({ nodeId, stats }, call) => ({
      layoutVersion: encodeInteger(
        await perform("heartbeat", { nodeId, stats: decodeNodeStats(stats) }, rpcCall(call)),
      ),
    }),
    async stopNode({ nodeId }, call) {
      await perform("stopNode", { nodeId }, rpcCall(call));
      return {};
    },
    changeLayout: async (message, call) => ({
      layout: encodeLayout(await perform("changeLayout", decodeLayoutChange(message), rpcCall(call))),
    }),
  };
}
