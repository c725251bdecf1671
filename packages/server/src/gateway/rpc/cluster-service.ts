import {
  type ClusterService,
  decodeLayoutChange,
  decodeServerRegistration,
  decodeServerStats,
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
    registerServer: async (message, call) => ({
      layoutVersion: encodeInteger(await perform("registerServer", decodeServerRegistration(message), rpcCall(call))),
    }),
    heartbeat: async ({ serverId, stats }, call) => ({
      layoutVersion: encodeInteger(
        await perform("heartbeat", { serverId, stats: decodeServerStats(stats) }, rpcCall(call)),
      ),
    }),
    async stopServer({ serverId }, call) {
      await perform("stopServer", { serverId }, rpcCall(call));
      return {};
    },
    changeLayout: async (message, call) => ({
      layout: encodeLayout(await perform("changeLayout", decodeLayoutChange(message), rpcCall(call))),
    }),
  };
}
