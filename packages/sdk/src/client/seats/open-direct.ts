import { createClusterTopology } from "../../engine/cluster-topology.ts";
import { createEngine } from "../../engine/create-engine.ts";
import type { Transport } from "../../ports/index.ts";
import type { OpenedSeat } from "../seat.ts";
import type { ResolvedRemoteOptions } from "./remote-options.ts";

/** The engine over a gateway's metadata and the nodes of its cluster. Loaded when the seat opens. */
export function openDirect(
  { endpoint, ...rest }: ResolvedRemoteOptions,
  transport: Transport,
  refreshAfterMs: number | undefined,
): OpenedSeat {
  const connection = transport.openGateway(endpoint);
  const topology = createClusterTopology({
    registry: connection.cluster,
    transport,
    clock: rest.clock,
    logger: rest.logger,
    refreshAfterMs,
    fallback: { serverId: "gateway", store: connection.chunks, available: true },
  });
  const backend = createEngine({ ...rest, catalog: connection.catalog, grants: connection.grants, topology });
  return {
    backend,
    clock: rest.clock,
    cluster: (call) => connection.cluster.clusterSnapshot(call),
    async close() {
      await backend.close();
      await connection.close();
      await transport.close();
    },
  };
}
