import { createEngine } from "../../engine/create-engine.ts";
import { singleStoreTopology } from "../../engine/single-store-topology.ts";
import type { OpenedSeat, Seat } from "../seat.ts";
import { type RemoteSeatOptions, resolveRemoteOptions } from "./remote-options.ts";

/**
 * The gateway seat: metadata and chunks through a gateway, which places the chunks on the nodes.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once for a bad URL. Nothing is opened before the first call.
 */
export function gateway(options: RemoteSeatOptions): Seat {
  const resolved = resolveRemoteOptions(options);
  return {
    name: "gateway",
    async open(): Promise<OpenedSeat> {
      const { transport, endpoint, ...rest } = resolved;
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
    },
  };
}
