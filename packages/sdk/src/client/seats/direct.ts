import { loadPart } from "../../internal/load-part.ts";
import type { Seat } from "../seat.ts";
import { checkedRemoteOptions, openTransport, type RemoteSeatOptions } from "./remote-options.ts";

/** Options of the direct seat. */
export interface DirectSeatOptions extends RemoteSeatOptions {
  /** Age in ms at which the view of nodes and layouts is renewed in the background; default 2,000. */
  readonly refreshAfterMs?: number | undefined;
}

/**
 * The direct seat: metadata from a gateway, chunks straight to the storage nodes by ring placement.
 *
 * Where no node is registered (an all-in-one server), chunks go through the gateway.
 *
 * The client holds no cluster secret: the gateway gives it grants that the nodes check, and checks the nodes' receipts at the commit.
 *
 * Before the first call, nothing is opened and no code of the engine is loaded.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once for a bad URL or a key that no header can carry.
 */
export function direct(options: DirectSeatOptions): Seat {
  const checked = checkedRemoteOptions(options);
  return {
    name: "direct",
    url: checked.url,
    async open(instruments) {
      const [{ openDirect }, transport] = await Promise.all([
        loadPart(() => import("./open-direct.ts")),
        openTransport(checked, instruments),
      ]);
      return openDirect(checked, transport);
    },
  };
}
