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

/** The placement of a chunk under the first layout whose nodes include all of `nodeIds`; `undefined` if there is none. */
export function placementCovering(
  layouts: readonly Layout[],
  placementOf: ClusterView["placementOf"],
  { chunkId, nodeIds }: { readonly chunkId: Digest; readonly nodeIds: ReadonlySet<string> },
): { readonly layoutVersion: number; readonly nodes: readonly string[] } | undefined {
  for (const layout of layouts) {
    const nodes = placementOf(layout).placementOf(chunkId);
    const inside = new Set(nodes);
    if ([...nodeIds].every((nodeId) => inside.has(nodeId))) {
      return { layoutVersion: layout.layoutVersion, nodes };
    }
  }
  return undefined;
}
