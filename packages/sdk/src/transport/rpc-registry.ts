import { createClient } from "@connectrpc/connect";
import * as LIMITS from "../limit-values.ts";
import type { NodeRegistry } from "../ports/index.ts";
import {
  ClusterService,
  decodeClusterSnapshot,
  decodeLayout,
  decodeRegisteredNode,
  encodeLayoutChange,
  encodeNodeRegistration,
  encodeNodeStats,
} from "../rpc/cluster.ts";
import { decodeInteger } from "../rpc/integers.ts";
import type { RpcConnection } from "./rpc-connection.ts";

/** A gateway's ClusterService as a node registry, with its messages. `lazyNodeRegistry` loads this file. */
export function openRpcNodeRegistry({ rpc: transport, call }: RpcConnection): NodeRegistry {
  const cluster = createClient(ClusterService, transport);
  return {
    async registerNode(registration, options) {
      const request = encodeNodeRegistration(registration);
      return decodeRegisteredNode(await call(options, (rpc) => cluster.registerNode(request, rpc)));
    },
    async heartbeat({ nodeId, stats, damagedChunkIds }, options) {
      const request = { nodeId, stats: encodeNodeStats(stats), damagedChunkIds: [...(damagedChunkIds ?? [])] };
      const { layoutVersion, hasLostDisk } = await call(options, (rpc) => cluster.heartbeat(request, rpc));
      return {
        layoutVersion: decodeInteger(layoutVersion, "layoutVersion"),
        ...(hasLostDisk && { hasLostDisk }),
      };
    },
    async stopNode(nodeId, options) {
      await call(options, (rpc) => cluster.stopNode({ nodeId }, rpc));
    },
    async clusterSnapshot(options) {
      const request = { placementFormat: LIMITS.PLACEMENT_FORMAT_NEWEST };
      return decodeClusterSnapshot(await call(options, (rpc) => cluster.getCluster(request, rpc)));
    },
    async changeLayout(change, options) {
      const answer = await call(options, (rpc) => cluster.changeLayout(encodeLayoutChange(change), rpc));
      return decodeLayout(answer.layout);
    },
  };
}
