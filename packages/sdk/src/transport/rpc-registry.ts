import { createClient } from "@connectrpc/connect";
import type { ServerRegistry } from "../ports/index.ts";
import {
  ClusterService,
  decodeClusterSnapshot,
  decodeLayout,
  encodeLayoutChange,
  encodeServerRegistration,
  encodeServerStats,
} from "../rpc/cluster.ts";
import { decodeInteger } from "../rpc/integers.ts";
import type { RpcConnection } from "./rpc-connection.ts";

/** A gateway's ClusterService as a server registry, with its messages: createRpcServerRegistry loads it. */
export function openRpcServerRegistry({ rpc: transport, call }: RpcConnection): ServerRegistry {
  const cluster = createClient(ClusterService, transport);
  return {
    async registerServer(registration, options) {
      const request = encodeServerRegistration(registration);
      const { layoutVersion } = await call(options, (rpc) => cluster.registerServer(request, rpc));
      return { layoutVersion: decodeInteger(layoutVersion, "layoutVersion") };
    },
    async heartbeat({ serverId, stats }, options) {
      const request = { serverId, stats: encodeServerStats(stats) };
      const { layoutVersion } = await call(options, (rpc) => cluster.heartbeat(request, rpc));
      return { layoutVersion: decodeInteger(layoutVersion, "layoutVersion") };
    },
    async stopServer(serverId, options) {
      await call(options, (rpc) => cluster.stopServer({ serverId }, rpc));
    },
    async clusterSnapshot(options) {
      return decodeClusterSnapshot(await call(options, (rpc) => cluster.getCluster({}, rpc)));
    },
    async changeLayout(change, options) {
      const answer = await call(options, (rpc) => cluster.changeLayout(encodeLayoutChange(change), rpc));
      return decodeLayout(answer.layout);
    },
  };
}
