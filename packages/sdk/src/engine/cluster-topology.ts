import { AshlarError } from "../errors/index.ts";
import type { Digest } from "../hash/index.ts";
import * as LIMITS from "../limit-values.ts";
import type {
  CallOptions,
  Clock,
  ClusterSnapshot,
  Endpoint,
  Layout,
  LayoutNode,
  Logger,
  NodeRegistry,
  Transport,
} from "../ports/index.ts";
import { createPlacement, type Placement } from "../ring/index.ts";
import { createNodePool } from "./node-pool.ts";
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
 * the answer for writes, which get fewer copies under an older layout, and for sweeps, which must see every node. After `invalidate()` it is renewed
 * before the answer for all. If the registry is away, or does not answer for VIEW_WAIT_MS, the last view stays in use: where chunks lie does not
 * depend on the registry.
 */
export function createClusterTopology(options: ClusterTopologyOptions): Topology {
  const pool = createNodePool(options);
  const { view, current, invalidate, failure } = openView(options, (snapshot) => pool.update(snapshot));
  return {
    async writePlacement(chunkId: Digest): Promise<ChunkPlacement> {
      const [layout] = (await current("write")).layouts;
      if (layout === undefined) {
        invalidate();
        if (options.fallback !== undefined) return { layoutVersion: 0, stores: [options.fallback] };
        throw new AshlarError("NODE_UNAVAILABLE", "no storage node has registered yet");
      }
      const placed = view.placementOf(layout).nodesOf(chunkId);
      return {
        layoutVersion: layout.layoutVersion,
        stores: placed.map(pool.storeOf),
        standIns: () => standInsOf(layout, chunkId, placed, pool.storeOf),
      };
    },
    async readCandidates(chunkId: Digest, { standIns = false } = {}): Promise<readonly NamedStore[]> {
      const { layouts } = await current("read");
      const namedBy = new Map<string, number>();
      for (const layout of layouts)
        for (const nodeId of view.placementOf(layout).nodesOf(chunkId))
          namedBy.set(nodeId, (namedBy.get(nodeId) ?? 0) + 1);
      if (namedBy.size === 0 && options.fallback !== undefined) return [options.fallback];
      // While copies move, those on nodes that every layout names are sure to be there.
      const nodeIds = [...namedBy.keys()].sort((a, b) => (namedBy.get(b) ?? 0) - (namedBy.get(a) ?? 0));
      const named = nodeIds.map((nodeId) => ({
        ...pool.storeOf(nodeId),
        mayLack: (namedBy.get(nodeId) ?? 0) < layouts.length,
      }));
      if (!standIns) return named;
      const others = layouts.flatMap((layout) => standInsOf(layout, chunkId, nodeIds, pool.storeOf));
      return [...named, ...new Map(others.map((other) => [other.nodeId, other])).values()];
    },
    async allStores(_options?: CallOptions): Promise<readonly NamedStore[]> {
      const { nodes } = await current("write");
      return nodes.map((node) => pool.storeOf(node.nodeId));
    },
    writeQuorum: options.writeQuorum ?? majority,
    view,
    viewFailure: failure,
    invalidate,
    close: () => pool.close(),
  };
}

/**
 * Nodes that may hold a chunk in place of those that should, best first. Which these are depends on the layout and the chunk alone, so that readers ask
 * the same ones as the writer did, and each chunk begins elsewhere; their order prefers zones that have no live copy yet.
 */
function standInsOf(
  layout: Layout,
  chunkId: Digest,
  placed: readonly string[],
  storeOf: (nodeId: string) => NamedStore,
): readonly NamedStore[] {
  const zoneOf = ({ nodeId, zone }: LayoutNode): string => zone ?? nodeId;
  const others = layout.nodes.filter(({ nodeId, weight }) => weight > 0 && !placed.includes(nodeId));
  const start = (((chunkId[0] ?? 0) << 8) | (chunkId[1] ?? 0)) % Math.max(1, others.length);
  const asked = [...others.slice(start), ...others.slice(0, start)].slice(0, LIMITS.STAND_INS_MAX);
  const live = layout.nodes.filter(({ nodeId }) => placed.includes(nodeId) && storeOf(nodeId).available);
  const zones = new Set(live.map(zoneOf));
  return asked
    .sort((a, b) => Number(zones.has(zoneOf(a))) - Number(zones.has(zoneOf(b))))
    .map(({ nodeId }) => ({ ...storeOf(nodeId), isStandIn: true }));
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
  let last: { readonly askedAtMs: number; readonly snapshot: ClusterSnapshot } | undefined;
  /** How often `invalidate()` was called, and how often before the last renewal that succeeded began. */
  let wantedCount = 0;
  let renewedCount = 0;
  let renewing:
    | { readonly count: number; readonly sinceMs: number; readonly snapshot: Promise<ClusterSnapshot> }
    | undefined;
  let failure: AshlarError | undefined;

  const refresh = async (count: number): Promise<ClusterSnapshot> => {
    const askedAtMs = clock.monotonicMs();
    try {
      const snapshot = await registry.clusterSnapshot();
      onRenewed(snapshot);
      const inUse = new Set(snapshot.layouts.map((layout) => layout.layoutVersion));
      const retired = [...placements.keys()].filter((layoutVersion) => !inUse.has(layoutVersion));
      for (const layoutVersion of retired.slice(0, -RETIRED_MAX)) placements.delete(layoutVersion);
      last = { askedAtMs, snapshot };
      renewedCount = count;
      failure = undefined;
      return snapshot;
    } catch (error) {
      failure = AshlarError.from(error);
      throw error;
    }
  };

  /** A view that was asked for after the first `count` calls of `invalidate()`. One renewal runs at a time, and all who can use it share it. */
  const renew = (count: number): Promise<ClusterSnapshot> => {
    if (renewing === undefined) {
      const snapshot = refresh(wantedCount).finally(() => {
        renewing = undefined;
      });
      renewing = { count: wantedCount, sinceMs: clock.monotonicMs(), snapshot };
    }
    if (renewing.count >= count) return renewing.snapshot;
    // It began earlier, so it may not show what `invalidate()` was about.
    const again = (): Promise<ClusterSnapshot> => renew(count);
    return renewing.snapshot.then(again, again);
  };

  const current = async (use: "read" | "write"): Promise<ClusterSnapshot> => {
    const known = last;
    const mustRenew = renewedCount < wantedCount;
    const isNew = known !== undefined && clock.monotonicMs() - known.askedAtMs <= refreshAfterMs;
    if (isNew && !mustRenew) return known.snapshot;
    const renewal = renew(wantedCount);
    if (known === undefined) return renewal;
    const renewed = renewal.catch((error: unknown) => {
      logger.warn({ err: error }, "cluster view not renewed; the last one stays in use");
      return known.snapshot;
    });
    if (!mustRenew && use === "read") return known.snapshot;
    return await renewedInTime(renewed, known.snapshot);
  };

  /** `renewed`, or the last snapshot if the renewal has run for VIEW_WAIT_MS: a registry that hangs must not hold up each chunk. */
  const renewedInTime = async (renewed: Promise<ClusterSnapshot>, known: ClusterSnapshot): Promise<ClusterSnapshot> => {
    const leftMs = (renewing?.sinceMs ?? clock.monotonicMs()) + LIMITS.VIEW_WAIT_MS - clock.monotonicMs();
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
      wantedCount++;
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
