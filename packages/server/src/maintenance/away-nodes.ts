import type { Topology } from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import type { AwayNodes, CallOptions, Clock, Logger } from "@ashlar/sdk/ports";

/** What {@link awayNodeWatch} takes. */
export interface AwayNodeOptions {
  readonly metadata: AwayNodes;
  readonly topology: Pick<Topology, "allStores" | "invalidate" | "view">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  /** How long a node may be away before its copies are made on others, in ms; default RE_REPLICATE_AFTER_MS. 0: for ever. */
  readonly reReplicateAfterMs?: number | undefined;
}

/**
 * Leaves nodes out of the layout that have been away for long: then rebalance makes their copies on others. Such a node joins again when it is back.
 *
 * A node must have been away for all that time as this process saw it, too: after a power cut the nodes that start first would make copies for those that
 * start a minute later.
 */
export function awayNodeWatch(options: AwayNodeOptions): (call: CallOptions) => Promise<void> {
  const { metadata, topology, clock, logger, reReplicateAfterMs = LIMITS.RE_REPLICATE_AFTER_MS } = options;
  /** Since when each node has been away without a break, by the monotonic clock. */
  const awaySinceMs = new Map<string, number>();
  return async ({ signal }) => {
    const [newest] = (await topology.view?.layoutsInUse()) ?? [];
    if (newest === undefined || reReplicateAfterMs === 0) return;
    const nowMs = clock.monotonicMs();
    const placed = new Set(newest.nodes.filter(({ weight }) => weight > 0).map(({ nodeId }) => nodeId));
    const stores = await topology.allStores({ signal });
    const away = stores.filter(({ nodeId, available }) => !available && placed.has(nodeId)).map(({ nodeId }) => nodeId);
    for (const nodeId of awaySinceMs.keys()) if (!away.includes(nodeId)) awaySinceMs.delete(nodeId);
    for (const nodeId of away) {
      const sinceMs = awaySinceMs.get(nodeId) ?? nowMs;
      awaySinceMs.set(nodeId, sinceMs);
      if (nowMs - sinceMs < reReplicateAfterMs) continue;
      const layout = await metadata.leaveOutNode({ nodeId, awayForMs: reReplicateAfterMs }, { signal });
      if (layout === undefined) continue;
      const { layoutVersion } = layout;
      logger.warn(
        { nodeId, layoutVersion },
        "a node was away for too long: its copies are made on others until it is back",
      );
      topology.invalidate();
    }
  };
}
