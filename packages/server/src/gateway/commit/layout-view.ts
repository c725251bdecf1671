import type { Clock, ClusterSnapshot, Digest, ServerRegistry } from "@ashlar/sdk/ports";
import { createPlacement, type Placement } from "@ashlar/sdk/ring";

/** The layouts in use, for checking where the chunks of a commit lie. */
export interface LayoutView {
  /** Placements of the layouts in use, newest first. @param options.fresh ask the registry now. */
  placements(options?: { readonly fresh?: boolean | undefined }): Promise<readonly Placement[]>;
  /** Servers and layouts, at most {@link VIEW_MAX_AGE_MS} old. */
  snapshot(): Promise<ClusterSnapshot>;
}

/** Age at which the view is asked for anew; a placement that is not found asks at once. */
const VIEW_MAX_AGE_MS = 2000;

/** Creates the view over a registry. Placements are pure functions of their layout, so they are kept while it is in use. */
export function createLayoutView(
  registry: Pick<ServerRegistry, "clusterSnapshot">,
  clock: Pick<Clock, "monotonicMs">,
): LayoutView {
  let known = new Map<number, Placement>();
  let view: { readonly snapshot: ClusterSnapshot; readonly takenAtMs: number } | undefined;
  let asking: Promise<ClusterSnapshot> | undefined;

  const ask = async (): Promise<ClusterSnapshot> => {
    const takenAtMs = clock.monotonicMs();
    const snapshot = await registry.clusterSnapshot();
    const earlier = known;
    known = new Map(
      snapshot.layouts.map((layout) => [
        layout.layoutVersion,
        earlier.get(layout.layoutVersion) ?? createPlacement(layout),
      ]),
    );
    view = { snapshot, takenAtMs };
    return snapshot;
  };

  const current = (fresh: boolean): Promise<ClusterSnapshot> => {
    if (!fresh && view !== undefined && clock.monotonicMs() - view.takenAtMs < VIEW_MAX_AGE_MS) {
      return Promise.resolve(view.snapshot);
    }
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return {
    async placements(options) {
      const { layouts } = await current(options?.fresh === true);
      return layouts.flatMap((layout) => known.get(layout.layoutVersion) ?? []);
    },
    snapshot: () => current(false),
  };
}

/** The placement of a chunk under the first layout whose servers include all of `serverIds`; `undefined` if there is none. */
export function placementCovering(
  placements: readonly Placement[],
  chunkId: Digest,
  serverIds: ReadonlySet<string>,
): { readonly layoutVersion: number; readonly servers: readonly string[] } | undefined {
  for (const placement of placements) {
    const servers = placement.placementOf(chunkId);
    const inside = new Set(servers);
    if ([...serverIds].every((serverId) => inside.has(serverId))) {
      return { layoutVersion: placement.layoutVersion, servers };
    }
  }
  return undefined;
}
