import { AshlarError } from "../errors/index.ts";
import { shownUrl } from "../internal/checked-url.ts";
import { LIMITS } from "../limits.ts";
import type { ChunkStore, Endpoint, Logger, ServerRecord, Transport } from "../ports/index.ts";
import type { NamedStore } from "./topology.ts";

/** The chunk stores of the servers that are known, one per server, kept across views. */
export interface NodePool {
  /**
   * Takes the servers of a new view: opens stores for new addresses, closes those of old ones. A server whose URL cannot be used gets a store that
   * answers NODE_UNAVAILABLE: it is one that is away, and keeps nobody from the others.
   *
   * @throws {AshlarError} STORE_CLOSED by a transport that is closed; nothing else.
   */
  update(servers: readonly ServerRecord[]): void;
  /** The store of a server; of one that is not registered too, a store that answers NODE_UNAVAILABLE. */
  readonly storeOf: (serverId: string) => NamedStore;
  close(): Promise<void>;
}

interface Entry {
  readonly url: string;
  readonly store: ChunkStore;
  readonly isUsable: boolean;
  available: boolean;
}

/** What a {@link createNodePool} opens stores with. */
interface NodePoolOptions {
  readonly transport: Transport;
  readonly authorization: Endpoint["authorization"];
  readonly logger: Logger;
}

export function createNodePool({ transport, authorization, logger }: NodePoolOptions): NodePool {
  const entries = new Map<string, Entry>();
  const open = ({ serverId, url, state }: ServerRecord): Entry => {
    try {
      const store = transport.openChunkStore({ url, serverId, authorization });
      return { url, store, isUsable: true, available: state === "up" };
    } catch (error) {
      if (AshlarError.is(error, "STORE_CLOSED")) throw error;
      const shown = shownUrl(url);
      logger.warn({ err: error, serverId, url: shown }, "a server's URL cannot be used; it counts as away");
      const store = unreachableStore(
        serverId,
        `server ${serverId} registered with a URL that cannot be used: ${shown}`,
      );
      return { url, store, isUsable: false, available: false };
    }
  };
  return {
    update(servers) {
      for (const server of servers) {
        const entry = entries.get(server.serverId);
        if (entry?.url === server.url) entry.available = entry.isUsable && server.state === "up";
        else {
          entries.set(server.serverId, open(server));
          void entry?.store.close();
        }
      }
    },
    storeOf(serverId) {
      const entry = entries.get(serverId);
      if (entry === undefined) {
        const store = unreachableStore(serverId, `server ${serverId} is in the layout, but it is not registered`);
        return { serverId, store, available: false };
      }
      return { serverId, store: entry.store, available: entry.available };
    },
    async close() {
      await Promise.all([...entries.values()].map((entry) => entry.store.close()));
      entries.clear();
    },
  };
}

/** Stands for a server that a layout names and no record tells a good address of. */
function unreachableStore(serverId: string, why: string): ChunkStore {
  const refuse = async (): Promise<never> => {
    throw new AshlarError("NODE_UNAVAILABLE", why, { details: { serverId } });
  };
  return {
    capabilities: Object.freeze({
      persistent: true,
      chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT.value,
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
