import { AshlarError } from "../errors/index.ts";
import { shownUrl } from "../internal/checked-url.ts";
import * as LIMITS from "../limit-values.ts";
import type { ChunkStore, ClusterSnapshot, Endpoint, Logger, NodeRecord, Transport } from "../ports/index.ts";
import type { NamedStore } from "./topology.ts";

/** What {@link createNodePool} takes; as for a topology. */
export interface NodePoolOptions {
  readonly transport: Transport;
  readonly authorization?: Endpoint["authorization"];
  readonly logger: Logger;
}

/** The chunk stores of the nodes that are known, one per node, kept across views. */
export interface NodePool {
  /**
   * Takes the nodes of a new view: opens stores for new addresses, and lets those of old ones go. A node whose URL cannot be used gets a store that
   * answers NODE_UNAVAILABLE: it counts as away, and the others stay usable.
   *
   * A node that left the registry counts as away while a layout in use names it: it may still hold copies, and it may only have to register again.
   * Once no layout in use names it, its store goes too. A store that goes is closed when its last call has ended.
   *
   * @throws {AshlarError} STORE_CLOSED if the transport is closed; nothing else.
   */
  update(snapshot: ClusterSnapshot): void;
  /** The store of a node; for one that is not registered, a store that answers NODE_UNAVAILABLE. */
  readonly storeOf: (nodeId: string) => NamedStore;
  /** Closes all stores, also those that wait for their last call. */
  close(): Promise<void>;
}

interface Entry {
  /** Empty for a node that never registered. */
  readonly url: string;
  readonly lease: Lease;
  readonly isUsable: boolean;
  available: boolean;
}

export function createNodePool({ transport, authorization, logger }: NodePoolOptions): NodePool {
  const entries = new Map<string, Entry>();
  /** Let go, with calls that still run. */
  const leaving = new Set<Lease>();
  let isClosed = false;
  const open = ({ nodeId, url, state }: NodeRecord): Entry => {
    try {
      const store = transport.openChunkStore({ url, nodeId, authorization });
      return { url, lease: leaseStore(nodeId, store), isUsable: true, available: state === "up" };
    } catch (error) {
      if (AshlarError.is(error, "STORE_CLOSED")) throw error;
      const shown = shownUrl(url);
      logger.warn({ err: error, nodeId, url: shown }, "a node's URL cannot be used; it counts as away");
      return unreachable(nodeId, url, `node ${nodeId} registered with a URL that cannot be used: ${shown}`);
    }
  };
  const letGo = (lease: Lease, successor?: ChunkStore): void => {
    leaving.add(lease);
    const gone = (): boolean => leaving.delete(lease);
    lease.retire(successor).then(gone, (error: unknown) => {
      gone();
      logger.warn({ err: error }, "the store of a node that left or moved did not close");
    });
  };
  return {
    update({ nodes, layouts }) {
      if (isClosed) return; // the answer to a renewal that began before the end
      for (const node of nodes) {
        const entry = entries.get(node.nodeId);
        if (entry?.url === node.url) entry.available = entry.isUsable && node.state === "up";
        else {
          const moved = open(node);
          entries.set(node.nodeId, moved);
          if (entry !== undefined) letGo(entry.lease, moved.lease.store);
        }
      }
      const registered = new Set(nodes.map(({ nodeId }) => nodeId));
      const named = new Set(layouts.flatMap((layout) => layout.nodes.map(({ nodeId }) => nodeId)));
      for (const [nodeId, entry] of entries) {
        if (registered.has(nodeId)) continue;
        entry.available = false;
        if (named.has(nodeId)) continue;
        entries.delete(nodeId);
        letGo(entry.lease);
      }
    },
    storeOf(nodeId) {
      let entry = entries.get(nodeId);
      if (entry === undefined) {
        // Kept, so that the store of a node is the same at each call.
        entry = unreachable(nodeId, "", `node ${nodeId} is in the layout, but it is not registered`);
        entries.set(nodeId, entry);
      }
      return { nodeId, store: entry.lease.store, available: entry.available };
    },
    async close() {
      const leases = [...[...entries.values()].map(({ lease }) => lease), ...leaving];
      isClosed = true;
      entries.clear();
      await Promise.all(leases.map((lease) => lease.close()));
    },
  };
}

/** A store that can be closed without breaking the calls that run. */
interface Lease {
  /** Passes calls on; after the end to the successor, so that the next try of a call finds a node that moved. Without one: NODE_UNAVAILABLE. */
  readonly store: ChunkStore;
  /** Closes the store when no call runs any more; new calls go to the successor at once. Settles when the store is closed. */
  retire(successor?: ChunkStore): Promise<void>;
  /** Closes the store at once. */
  close(): Promise<void>;
}

function leaseStore(nodeId: string, inner: ChunkStore): Lease {
  let runningCount = 0;
  let onIdle: (() => void) | undefined;
  let next: ChunkStore | undefined;
  let retiring: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= inner.close();
    return closing;
  };
  const run = async (call: () => unknown): Promise<unknown> => {
    if (retiring !== undefined && closing !== undefined) {
      throw new AshlarError("NODE_UNAVAILABLE", `node ${nodeId} has left the cluster`, { details: { nodeId } });
    }
    runningCount++;
    try {
      return await call();
    } finally {
      runningCount--;
      if (runningCount === 0) onIdle?.();
    }
  };
  // The target has no properties of its own: a proxy of a frozen store would have to return the store's own methods.
  const store = new Proxy<ChunkStore>(Object.create(inner) as ChunkStore, {
    get(_, name) {
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function") return value;
      if (name === "close") return close;
      return (...args: unknown[]) => {
        const successors: unknown = next && Reflect.get(next, name);
        if (typeof successors === "function") return Reflect.apply(successors, next, args) as unknown;
        return run(() => Reflect.apply(value, inner, args));
      };
    },
  });
  return {
    store,
    retire(successor) {
      next = successor;
      retiring ??= new Promise<void>((resolve, reject) => {
        onIdle = () => void close().then(resolve, reject);
        if (runningCount === 0) onIdle();
      });
      return retiring;
    },
    close,
  };
}

/** A node that a layout names, but for which no record has a usable address. */
function unreachable(nodeId: string, url: string, why: string): Entry {
  const refuse = async (): Promise<never> => {
    throw new AshlarError("NODE_UNAVAILABLE", why, { details: { nodeId } });
  };
  const store: ChunkStore = {
    capabilities: Object.freeze({
      persistent: true,
      chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
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
  return { url, lease: leaseStore(nodeId, store), isUsable: false, available: false };
}
