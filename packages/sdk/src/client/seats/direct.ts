import { createClusterTopology } from "../../engine/cluster-topology.ts";
import { createEngine } from "../../engine/create-engine.ts";
import type { OpenedSeat, Seat } from "../seat.ts";
import { type RemoteSeatOptions, resolveRemoteOptions } from "./remote-options.ts";

/** Options of the direct seat. */
export interface DirectSeatOptions extends RemoteSeatOptions {
  /** Age in ms at which the view of servers and layouts is renewed in the background; default 2,000. */
  readonly refreshAfterMs?: number | undefined;
}

/**
 * The direct seat: metadata from a gateway, chunks straight to the storage nodes by ring placement.
 *
 * The client holds no cluster secret: the gateway gives it grants that the nodes check, and checks the nodes' receipts at the commit.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once for a bad URL. Nothing is opened before the first call.
 */
export function direct(options: DirectSeatOptions): Seat {
  const resolved = resolveRemoteOptions(options);
  return {
    name: "direct",
    async open(): Promise<OpenedSeat> {
      const { transport, endpoint, ...rest } = resolved;
      const connection = transport.openGateway(endpoint);
      const topology = createClusterTopology({
        registry: connection.cluster,
        transport,
        clock: rest.clock,
        logger: rest.logger,
        refreshAfterMs: options.refreshAfterMs,
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
    },
  };
}
