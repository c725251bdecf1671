import { createEngine } from "../../engine/create-engine.ts";
import { singleStoreTopology } from "../../engine/single-store-topology.ts";
import type { Transport } from "../../ports/index.ts";
import type { OpenedSeat } from "../seat.ts";
import type { ResolvedRemoteOptions } from "./remote-options.ts";

/** The engine over a gateway's metadata and its one chunk face. Loaded when the seat opens. */
export function openGateway({ endpoint, ...rest }: ResolvedRemoteOptions, transport: Transport): OpenedSeat {
  const connection = transport.openGateway(endpoint);
  const backend = createEngine({
    ...rest,
    catalog: connection.catalog,
    grants: connection.grants,
    topology: singleStoreTopology(connection.chunks, "gateway"),
  });
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
