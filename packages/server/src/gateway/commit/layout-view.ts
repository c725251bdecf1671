import type { ClusterView } from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, Digest, Layout, LayoutHistory } from "@ashlar/sdk/ports";

/** The layouts under which the chunks of a commit may have been placed. */
export interface LayoutView extends ClusterView {
  /**
   * Layouts under which the longest upload may have begun, newest first. A layout that no row names is retired, but not while an upload may use it.
   *
   * @param options.fresh asks the registry now.
   */
  recent(options?: { readonly fresh?: boolean | undefined }): Promise<readonly Layout[]>;
}

/** Age at which the recent layouts are asked for again. */
const RECENT_MAX_AGE_MS = 2000;

/** Adds to the view of a process the earlier layouts that its registry still knows. Callers that ask at the same time share one query. */
export function createLayoutView(
  view: ClusterView,
  history: LayoutHistory,
  clock: Pick<Clock, "monotonicMs">,
): LayoutView {
  const query = { forMs: LIMITS.CLAIM_TTL_MS, limit: LIMITS.RECENT_LAYOUTS_MAX };
  let last: { readonly layouts: readonly Layout[]; readonly askedAtMs: number } | undefined;
  let asking: Promise<readonly Layout[]> | undefined;
  const ask = async (): Promise<readonly Layout[]> => {
    const askedAtMs = clock.monotonicMs();
    const layouts = await history.recentLayouts(query);
    last = { layouts, askedAtMs };
    return layouts;
  };
  return {
    layoutsInUse: () => view.layoutsInUse(),
    placementOf: view.placementOf,
    async recent({ fresh = false } = {}) {
      if (!fresh && last !== undefined && clock.monotonicMs() - last.askedAtMs < RECENT_MAX_AGE_MS) return last.layouts;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return await asking;
    },
  };
}

/** Where a layout puts a chunk. */
export interface LayoutPlacement {
  readonly layoutVersion: number;
  readonly nodes: readonly string[];
}

/** The placements of a chunk, under those layouts whose placement includes all of `nodeIds`. */
export function* placementsCovering(
  layouts: readonly Layout[],
  placementOf: ClusterView["placementOf"],
  { chunkId, nodeIds }: { readonly chunkId: Digest; readonly nodeIds: ReadonlySet<string> },
): Generator<LayoutPlacement> {
  for (const layout of layouts) {
    const nodes = placementOf(layout).nodesOf(chunkId);
    const inside = new Set(nodes);
    if ([...nodeIds].every((nodeId) => inside.has(nodeId))) yield { layoutVersion: layout.layoutVersion, nodes };
  }
}
