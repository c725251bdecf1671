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
import type { GatewayContext } from "../gateway-context.ts";

/** Servers and layouts. */
export function createClusterService(context: GatewayContext): ServiceImpl<typeof ClusterService> {
  const { metadata, limits, topology } = context;
  return {
    getCluster: async (_request, { signal }) =>
      encodeClusterSnapshot(await metadata.clusterSnapshot({ signal }), limits),
    async registerServer(message, { signal }) {
      const { layoutVersion } = await metadata.registerServer(decodeServerRegistration(message), { signal });
      topology.invalidate();
      return { layoutVersion: encodeInteger(layoutVersion) };
    },
    async heartbeat({ serverId, stats }, { signal }) {
      const { layoutVersion } = await metadata.heartbeat({ serverId, stats: decodeServerStats(stats) }, { signal });
      return { layoutVersion: encodeInteger(layoutVersion) };
    },
    async stopServer({ serverId }, { signal }) {
      await metadata.stopServer(serverId, { signal });
      topology.invalidate();
      return {};
    },
    async changeLayout(message, { signal }) {
      const layout = await metadata.changeLayout(decodeLayoutChange(message), { signal });
      topology.invalidate();
      return { layout: encodeLayout(layout) };
    },
  };
}
