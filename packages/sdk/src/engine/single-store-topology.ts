import type { ChunkStore } from "../ports/index.ts";
import type { NamedStore, Topology } from "./topology.ts";

/** The topology of one store: everything lies there, one acknowledgement is all. Closing it closes the store. */
export function singleStoreTopology(store: ChunkStore, serverId: string = "local"): Topology {
  const stores: readonly NamedStore[] = Object.freeze([{ serverId, store, available: true }]);
  const placement = Object.freeze({ layoutVersion: 0, stores });
  return {
    writePlacement: async () => placement,
    readCandidates: async () => stores,
    allStores: async () => stores,
    writeQuorum: () => 1,
    invalidate: () => {},
    close: () => store.close(),
  };
}
