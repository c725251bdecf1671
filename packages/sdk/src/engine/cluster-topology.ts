import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import { shownUrl } from "../internal/checked-url.ts";
import { LIMITS } from "../limits.ts";
import type {
  CallOptions,
  ChunkStore,
  Clock,
  ClusterSnapshot,
  Endpoint,
  Logger,
  ServerRecord,
  ServerRegistry,
  Transport,
} from "../ports/index.ts";
import { createPlacement, type Placement } from "../ring/index.ts";
import type { ChunkPlacement, ClusterView, NamedStore, Topology } from "./topology.ts";

/** What {@link createClusterTopology} takes. */
export interface ClusterTopologyOptions {
  readonly registry: Pick<ServerRegistry, "clusterSnapshot">;
  readonly transport: Transport;
  /** Bearer value for calls without a grant of their own (a gateway's cluster grant). */
  readonly authorization?: Endpoint["authorization"];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Age in ms at which the view is renewed: in the background for reads, before the answer for writes; default 2,000: far below the heartbeat interval. */
  readonly refreshAfterMs?: number | undefined;
  /** Takes the chunks while no server is registered: a gateway's own chunk face. It stays its owner's. */
  readonly fallback?: NamedStore | undefined;
  /** Acknowledgements among `placedCount` replicas; default the majority. */
  readonly writeQuorum?: ((placedCount: number) => number) | undefined;
}

/** The majority of `placedCount`. */
export function majority(placedCount: number): number {
  return Math.floor(placedCount / 2) + 1;
}

/**
 * The topology of a cluster: servers and layouts from a registry, stores through a transport.
 *
 * The view is renewed when it is older than `refreshAfterMs`: in the background for reads, which find their chunks by an older layout too, and before
 * the answer for writes, which an older layout gives fewer copies; for both after `invalidate()`. If the registry is away, the last view stays good:
 * where chunks lie does not depend on it.
 */
export function createClusterTopology(options: ClusterTopologyOptions): Topology {
  const pool = createNodePool(options);
  const { view, current, invalidate, failure } = openView(options, (snapshot) => pool.update(snapshot.servers));
  return {
    async writePlacement(chunkId: Digest): Promise<ChunkPlacement> {
      const [layout] = (await current("write")).layouts;
      if (layout === undefined) {
        invalidate();
        if (options.fallback !== undefined) return { layoutVersion: 0, stores: [options.fallback] };
        throw new AshlarError("NODE_UNAVAILABLE", "no storage server has registered yet");
      }
      return {
        layoutVersion: layout.layoutVersion,
        stores: view.placementOf(layout).placementOf(chunkId).map(pool.storeOf),
      };
    },
    async readCandidates(chunkId: Digest): Promise<readonly NamedStore[]> {
      const { layouts } = await current("read");
      const serverIds = new Set(layouts.flatMap((layout) => view.placementOf(layout).placementOf(chunkId)));
      if (serverIds.size === 0 && options.fallback !== undefined) return [options.fallback];
      return [...serverIds].map(pool.storeOf);
    },
    async allStores(_options?: CallOptions): Promise<readonly NamedStore[]> {
      const { servers } = await current("read");
      return servers.map((server) => pool.storeOf(server.serverId));
    },
    writeQuorum: options.writeQuorum ?? majority,
    view,
    viewFailure: failure,
    invalidate,
    close: () => pool.close(),
  };
}

/** The view of a registry by itself, for those whose topology brings none. */
export function createClusterView(options: ClusterViewOptions): ClusterView {
  return openView(options, () => {}).view;
}

/** What a {@link createClusterView} takes; as for a topology. */
export type ClusterViewOptions = Pick<ClusterTopologyOptions, "registry" | "clock" | "logger" | "refreshAfterMs">;

/** A view, and what only its topology does with it. */
interface OpenView {
  readonly view: ClusterView;
  readonly current: (use: "read" | "write") => Promise<ClusterSnapshot>;
  readonly invalidate: () => void;
  /** Why the last renewal failed. */
  readonly failure: () => AshlarError | undefined;
}

/** Tables of layouts that are in use no more: uploads may have begun under them. */
const RETIRED_MAX = LIMITS.RECENT_LAYOUTS_MAX;

function openView(
  { registry, clock, logger, refreshAfterMs = 2000 }: ClusterViewOptions,
  onRenewed: (snapshot: ClusterSnapshot) => void,
): OpenView {
  const placements = new Map<number, Placement>();
  let last: { readonly takenAtMs: number; readonly snapshot: ClusterSnapshot } | undefined;
  let mustRefresh = true;
  let refreshing: Promise<ClusterSnapshot> | undefined;
  let failure: AshlarError | undefined;

  const refresh = async (): Promise<ClusterSnapshot> => {
    try {
      const snapshot = await registry.clusterSnapshot();
      onRenewed(snapshot);
      const inUse = new Set(snapshot.layouts.map((layout) => layout.layoutVersion));
      const retired = [...placements.keys()].filter((version) => !inUse.has(version));
      for (const version of retired.slice(0, -RETIRED_MAX)) placements.delete(version);
      last = { takenAtMs: clock.monotonicMs(), snapshot };
      mustRefresh = false;
      failure = undefined;
      return snapshot;
    } catch (error) {
      failure = AshlarError.from(error);
      throw error;
    }
  };

  const current = async (use: "read" | "write"): Promise<ClusterSnapshot> => {
    const known = last;
    const isNew = known !== undefined && clock.monotonicMs() - known.takenAtMs <= refreshAfterMs;
    if (isNew && !mustRefresh) return known.snapshot;
    refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    });
    if (known === undefined) return refreshing;
    const renewed = refreshing.catch((error: unknown) => {
      logger.warn({ err: error }, "cluster view not renewed; the last one stays in use");
      return known.snapshot;
    });
    return mustRefresh || use === "write" ? renewed : known.snapshot;
  };

  return {
    current,
    invalidate: () => {
      mustRefresh = true;
    },
    failure: () => failure,
    view: {
      layoutsInUse: async () => (await current("write")).layouts,
      placementOf(layout) {
        const known = placements.get(layout.layoutVersion);
        if (known !== undefined) return known;
        const placement = createPlacement(layout);
        placements.set(layout.layoutVersion, placement);
        return placement;
      },
    },
  };
}

/** The chunk stores of the servers that are known, one per server, kept across views. */
interface NodePool {
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

function createNodePool({ transport, authorization, logger }: ClusterTopologyOptions): NodePool {
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
}
