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
  NodeRecord,
  NodeRegistry,
  Transport,
} from "../ports/index.ts";
import { createPlacement, type Placement } from "../ring/index.ts";
import type { ChunkPlacement, ClusterView, NamedStore, Topology } from "./topology.ts";

/** What {@link createClusterTopology} takes. */
export interface ClusterTopologyOptions {
  readonly registry: Pick<NodeRegistry, "clusterSnapshot">;
  readonly transport: Transport;
  /** Bearer value for calls without a grant of their own (a gateway's cluster grant). */
  readonly authorization?: Endpoint["authorization"];
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Age in ms at which the view is renewed: in the background for reads, before the answer for writes.
   * Default 2,000: far below the heartbeat interval.
   */
  readonly refreshAfterMs?: number | undefined;
  /** Takes the chunks while no node is registered: a gateway's own chunk API. Not closed with the topology. */
  readonly fallback?: NamedStore | undefined;
  /** Acknowledgements among `placedCount` replicas; default the majority. */
  readonly writeQuorum?: ((placedCount: number) => number) | undefined;
}

/** The majority of `placedCount`. */
export function majority(placedCount: number): number {
  return Math.floor(placedCount / 2) + 1;
}

/**
 * The topology of a cluster: nodes and layouts from a registry, stores through a transport.
 *
 * The view is renewed when it is older than `refreshAfterMs`: in the background for reads, which find their chunks by an older layout too, and before
 * the answer for writes, which get fewer copies under an older layout. After `invalidate()` it is renewed before the answer for both. If the registry
 * is away, or does not answer for VIEW_WAIT_MS, the last view stays in use: where chunks lie does not depend on the registry.
 */
export function createClusterTopology(options: ClusterTopologyOptions): Topology {
  const pool = createNodePool(options);
  const { view, current, invalidate, failure } = openView(options, (snapshot) => pool.update(snapshot.nodes));
  return {
    async writePlacement(chunkId: Digest): Promise<ChunkPlacement> {
      const [layout] = (await current("write")).layouts;
      if (layout === undefined) {
        invalidate();
        if (options.fallback !== undefined) return { layoutVersion: 0, stores: [options.fallback] };
        throw new AshlarError("NODE_UNAVAILABLE", "no storage node has registered yet");
      }
      return {
        layoutVersion: layout.layoutVersion,
        stores: view.placementOf(layout).placementOf(chunkId).map(pool.storeOf),
      };
    },
    async readCandidates(chunkId: Digest): Promise<readonly NamedStore[]> {
      const { layouts } = await current("read");
      const nodeIds = new Set(layouts.flatMap((layout) => view.placementOf(layout).placementOf(chunkId)));
      if (nodeIds.size === 0 && options.fallback !== undefined) return [options.fallback];
      return [...nodeIds].map(pool.storeOf);
    },
    async allStores(_options?: CallOptions): Promise<readonly NamedStore[]> {
      const { nodes } = await current("read");
      return nodes.map((node) => pool.storeOf(node.nodeId));
    },
    writeQuorum: options.writeQuorum ?? majority,
    view,
    viewFailure: failure,
    invalidate,
    close: () => pool.close(),
  };
}

/** The view of a registry alone, for a process whose topology has none. */
export function createClusterView(options: ClusterViewOptions): ClusterView {
  return openView(options, () => {}).view;
}

/** What {@link createClusterView} takes; as for a topology. */
export type ClusterViewOptions = Pick<ClusterTopologyOptions, "registry" | "clock" | "logger" | "refreshAfterMs">;

/** A view, and the functions that only its topology calls. */
interface OpenView {
  readonly view: ClusterView;
  readonly current: (use: "read" | "write") => Promise<ClusterSnapshot>;
  readonly invalidate: () => void;
  /** Why the last renewal failed. */
  readonly failure: () => AshlarError | undefined;
}

/** How many tables are kept of layouts that are no longer in use: uploads may have begun under them. */
const RETIRED_MAX = LIMITS.RECENT_LAYOUTS_MAX;

function openView(
  { registry, clock, logger, refreshAfterMs = 2000 }: ClusterViewOptions,
  onRenewed: (snapshot: ClusterSnapshot) => void,
): OpenView {
  const placements = new Map<number, Placement>();
  let last: { readonly takenAtMs: number; readonly snapshot: ClusterSnapshot } | undefined;
  let mustRefresh = true;
  let refreshing: Promise<ClusterSnapshot> | undefined;
  let refreshingSinceMs = 0;
  let failure: AshlarError | undefined;

  const refresh = async (): Promise<ClusterSnapshot> => {
    try {
      const snapshot = await registry.clusterSnapshot();
      onRenewed(snapshot);
      const inUse = new Set(snapshot.layouts.map((layout) => layout.layoutVersion));
      const retired = [...placements.keys()].filter((layoutVersion) => !inUse.has(layoutVersion));
      for (const layoutVersion of retired.slice(0, -RETIRED_MAX)) placements.delete(layoutVersion);
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
    if (refreshing === undefined) {
      refreshingSinceMs = clock.monotonicMs();
      refreshing = refresh().finally(() => {
        refreshing = undefined;
      });
    }
    if (known === undefined) return refreshing;
    const renewed = refreshing.catch((error: unknown) => {
      logger.warn({ err: error }, "cluster view not renewed; the last one stays in use");
      return known.snapshot;
    });
    if (!mustRefresh && use === "read") return known.snapshot;
    return await renewedInTime(renewed, known.snapshot);
  };

  /** `renewed`, or the last snapshot if the renewal has run for VIEW_WAIT_MS: a registry that hangs must not hold up each chunk. */
  const renewedInTime = async (renewed: Promise<ClusterSnapshot>, known: ClusterSnapshot): Promise<ClusterSnapshot> => {
    const leftMs = refreshingSinceMs + LIMITS.VIEW_WAIT_MS - clock.monotonicMs();
    const timer = new AbortController();
    const late = clock.sleep(Math.max(0, leftMs), { signal: timer.signal }).then(() => {
      failure ??= new AshlarError("METADATA_UNAVAILABLE", "the registry does not answer");
      return known;
    });
    late.catch(() => {});
    try {
      return await Promise.race([renewed, late]);
    } finally {
      timer.abort();
    }
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

/** The chunk stores of the nodes that are known, one per node, kept across views. */
interface NodePool {
  /**
   * Takes the nodes of a new view: opens stores for new addresses, closes those of old ones. A node whose URL cannot be used gets a store that
   * answers NODE_UNAVAILABLE: it counts as away, and the others stay usable.
   *
   * @throws {AshlarError} STORE_CLOSED if the transport is closed; nothing else.
   */
  update(nodes: readonly NodeRecord[]): void;
  /** The store of a node; for one that is not registered, a store that answers NODE_UNAVAILABLE. */
  readonly storeOf: (nodeId: string) => NamedStore;
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
  const open = ({ nodeId, url, state }: NodeRecord): Entry => {
    try {
      const store = transport.openChunkStore({ url, nodeId, authorization });
      return { url, store, isUsable: true, available: state === "up" };
    } catch (error) {
      if (AshlarError.is(error, "STORE_CLOSED")) throw error;
      const shown = shownUrl(url);
      logger.warn({ err: error, nodeId, url: shown }, "a node's URL cannot be used; it counts as away");
      const store = unreachableStore(nodeId, `node ${nodeId} registered with a URL that cannot be used: ${shown}`);
      return { url, store, isUsable: false, available: false };
    }
  };
  return {
    update(nodes) {
      for (const node of nodes) {
        const entry = entries.get(node.nodeId);
        if (entry?.url === node.url) entry.available = entry.isUsable && node.state === "up";
        else {
          entries.set(node.nodeId, open(node));
          void entry?.store.close();
        }
      }
    },
    storeOf(nodeId) {
      const entry = entries.get(nodeId);
      if (entry === undefined) {
        const store = unreachableStore(nodeId, `node ${nodeId} is in the layout, but it is not registered`);
        return { nodeId, store, available: false };
      }
      return { nodeId, store: entry.store, available: entry.available };
    },
    async close() {
      await Promise.all([...entries.values()].map((entry) => entry.store.close()));
      entries.clear();
    },
  };
}

/** The store of a node that a layout names, but for which no record has a usable address. */
function unreachableStore(nodeId: string, why: string): ChunkStore {
  const refuse = async (): Promise<never> => {
    throw new AshlarError("NODE_UNAVAILABLE", why, { details: { nodeId } });
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
