import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, Digest, Layout, LayoutHistory, ServerRegistry } from "@ashlar/sdk/ports";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";

/** The layouts that the chunks of a commit may lie by. */
export interface LayoutView {
  /** The layouts in use, newest first, at most {@link VIEW_MAX_AGE_MS} old. */
  inUse(): Promise<readonly Layout[]>;
  /**
   * Those that the longest upload may have begun under, newest first: a layout that no row names retires, but not from under an upload.
   *
   * @param options.fresh asks the registry now.
   */
  recent(options?: { readonly fresh?: boolean | undefined }): Promise<readonly Layout[]>;
  /** The placement of one of these layouts. */
  placementOf(layout: Layout): Placement;
}

/** Age at which the view is asked for anew. */
const VIEW_MAX_AGE_MS = 2000;

/** Placements that are kept: those of the recent layouts, and as many of older ones that are still in use. */
const PLACEMENTS_MAX = 2 * LIMITS.RECENT_LAYOUTS_MAX.value;

/** Creates the view over a registry. Placements are pure functions of their layout, so they are kept while there is room. */
export function createLayoutView(
  registry: Pick<ServerRegistry, "clusterSnapshot"> & LayoutHistory,
  clock: Pick<Clock, "monotonicMs">,
): LayoutView {
  const placements = new Map<number, Placement>();
  const snapshot = kept(() => registry.clusterSnapshot(), clock);
  const query = { forMs: LIMITS.CLAIM_TTL_MS.value, limit: LIMITS.RECENT_LAYOUTS_MAX.value };
  const recent = kept(() => registry.recentLayouts(query), clock);
  return {
    inUse: async () => (await snapshot(false)).layouts,
    recent: (options) => recent(options?.fresh === true),
    placementOf(layout) {
      const known = placements.get(layout.layoutVersion);
      if (known !== undefined) return known;
      const [oldest] = placements.keys();
      if (oldest !== undefined && placements.size >= PLACEMENTS_MAX) placements.delete(oldest);
      const placement = createPlacement(layout);
      placements.set(layout.layoutVersion, placement);
      return placement;
    },
  };
}

/** Keeps an answer for {@link VIEW_MAX_AGE_MS}; those who ask at once share one question. */
function kept<T>(ask: () => Promise<T>, clock: Pick<Clock, "monotonicMs">): (fresh: boolean) => Promise<T> {
  let last: { readonly answer: T; readonly askedAtMs: number } | undefined;
  let asking: Promise<T> | undefined;
  const askNow = async (): Promise<T> => {
    const askedAtMs = clock.monotonicMs();
    const answer = await ask();
    last = { answer, askedAtMs };
    return answer;
  };
  return async (fresh) => {
    if (!fresh && last !== undefined && clock.monotonicMs() - last.askedAtMs < VIEW_MAX_AGE_MS) return last.answer;
    asking ??= askNow().finally(() => {
      asking = undefined;
    });
    return await asking;
  };
}

/** The placement of a chunk under the first layout whose servers include all of `serverIds`; `undefined` if there is none. */
export function placementCovering(
  layouts: readonly Layout[],
  placementOf: (layout: Layout) => Placement,
  { chunkId, serverIds }: { readonly chunkId: Digest; readonly serverIds: ReadonlySet<string> },
): { readonly layoutVersion: number; readonly servers: readonly string[] } | undefined {
  for (const layout of layouts) {
    const servers = placementOf(layout).placementOf(chunkId);
    const inside = new Set(servers);
    if ([...serverIds].every((serverId) => inside.has(serverId))) {
      return { layoutVersion: layout.layoutVersion, servers };
    }
  }
  return undefined;
}
