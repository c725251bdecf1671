import { singleStoreTopology } from "../../engine/topology.ts";
import type { Transport } from "../../ports/index.ts";
import type { OpenedSeat } from "../seat.ts";
import { openRemote } from "./open-remote.ts";
import type { RemoteSeatOptions } from "./remote-options.ts";

/** The engine over a gateway's metadata and its one chunk API. Loaded when the seat opens. */
export function openGateway(options: RemoteSeatOptions, transport: Transport): OpenedSeat {
  return openRemote(options, transport, ({ connection }) => singleStoreTopology(connection.chunks, "gateway"));
}
