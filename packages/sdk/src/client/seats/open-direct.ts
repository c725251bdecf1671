import { createClusterTopology } from "../../engine/cluster-topology.ts";
import type { Transport } from "../../ports/index.ts";
import type { OpenedSeat } from "../seat.ts";
import { openRemote } from "./open-remote.ts";
import type { RemoteSeatOptions } from "./remote-options.ts";

/** The engine over a gateway's metadata and the nodes of its cluster. Loaded when the seat opens. */
export function openDirect(
  options: RemoteSeatOptions & { readonly refreshAfterMs?: number | undefined },
  transport: Transport,
): OpenedSeat {
  return openRemote(options, transport, ({ connection, clock, logger }) =>
    createClusterTopology({
      registry: connection.cluster,
      transport,
      clock,
      logger,
      refreshAfterMs: options.refreshAfterMs,
      fallback: { nodeId: "gateway", store: connection.chunks, available: true },
    }),
  );
}
