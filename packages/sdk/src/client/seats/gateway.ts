import { loadPart } from "../../internal/load-part.ts";
import type { Seat } from "../seat.ts";
import { checkedRemoteOptions, openTransport, type RemoteSeatOptions } from "./remote-options.ts";

/**
 * The gateway seat: metadata and chunks through a gateway, which places the chunks on the nodes.
 *
 * Before the first call, nothing is opened and no code of the engine is loaded.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once for a bad URL or a key that no header can carry.
 */
export function gateway(options: RemoteSeatOptions): Seat {
  const checked = checkedRemoteOptions(options);
  return {
    name: "gateway",
    url: checked.url,
    async open(instruments) {
      const [{ openGateway }, transport] = await Promise.all([
        loadPart(() => import("./open-gateway.ts")),
        openTransport(checked, instruments),
      ]);
      return openGateway(checked, transport);
    },
  };
}
