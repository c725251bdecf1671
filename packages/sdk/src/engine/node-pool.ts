import { AshlarError } from "../errors/index.ts";
import { LIMITS } from "../limits.ts";
import type { ChunkStore, Endpoint, ServerRecord, Transport } from "../ports/index.ts";
import type { NamedStore } from "./topology.ts";

/** The chunk stores of the servers that are known, one per server, kept across views. */
export interface NodePool {
  /** Takes the servers of a new view: opens stores for new addresses, closes those of old ones. */
  update(servers: readonly ServerRecord[]): void;
  /** The store of a server; of one that is not registered, a store that answers NODE_UNAVAILABLE. */
  readonly storeOf: (serverId: string) => NamedStore;
  close(): Promise<void>;
}

interface Entry {
  readonly url: string;
  readonly store: ChunkStore;
  available: boolean;
}

export function createNodePool(transport: Transport, authorization: Endpoint["authorization"]): NodePool {
  const entries = new Map<string, Entry>();
  return {
    update(servers) {
      for (const server of servers) {
        const available = server.state === "up";
        const entry = entries.get(server.serverId);
        if (entry?.url === server.url) entry.available = available;
        else {
          void entry?.store.close();
          const store = transport.openChunkStore({ url: server.url, serverId: server.serverId, authorization });
          entries.set(server.serverId, { url: server.url, store, available });
        }
      }
    },
    storeOf(serverId) {
      const entry = entries.get(serverId);
      if (entry === undefined) return { serverId, store: unregisteredStore(serverId), available: false };
      return { serverId, store: entry.store, available: entry.available };
    },
    async close() {
      await Promise.all([...entries.values()].map((entry) => entry.store.close()));
      entries.clear();
    },
  };
}

/** Stands for a server that a layout names and no record tells the address of. */
function unregisteredStore(serverId: string): ChunkStore {
  const refuse = async (): Promise<never> => {
    throw new AshlarError("NODE_UNAVAILABLE", `server ${serverId} is in the layout, but it is not registered`, {
      details: { serverId },
    });
  };
  return {
    capabilities: Object.freeze({
      persistent: true,
      chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT.value,
      rangedReads: true,
      durabilities: [],
    }),
    putChunk: refuse,
    getChunk: refuse,
    hasChunks: refuse,
    deleteChunks: refuse,
    listChunks: refuse,
    stats: refuse,
    close: async () => {},
  };
}
