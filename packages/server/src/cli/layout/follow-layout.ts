import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, NodeRegistry } from "@ashlar/sdk/ports";
import { formatCount, formatDuration } from "../../observability/format.ts";
import type { Redundancy } from "../health/redundancy.ts";
import type { StatusLine } from "../progress.ts";
import { layoutsPlacingOn, placingNodeIds } from "./layouts-in-use.ts";

/** What {@link waitUntilUnplaced} takes. */
export interface FollowOptions {
  readonly registry: Pick<NodeRegistry, "clusterSnapshot">;
  readonly nodeIds: readonly string[];
  /** What a gateway tells now; nothing where none is named. */
  readonly askFigures: (signal: AbortSignal) => Promise<Redundancy>;
  readonly status: StatusLine;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly signal: AbortSignal;
}

/** A round of background work comes every half minute, so asking more often tells nothing new; a small cluster is done soon after one. */
const POLL_MS = 1000;

/**
 * Waits until no layout in use places chunks on these nodes: then every object has all its copies elsewhere. A registry that does not answer for a
 * moment is asked again.
 *
 * @returns the snapshot that says so.
 * @throws {AshlarError} CANCELED when the signal aborts; the change of the layout goes on. PRECONDITION_FAILED if a later change places chunks on
 *   one of them again, so that waiting would not end. What the registry throws if it does not answer for
 *   RETRY_FOR_MS.
 */
export async function waitUntilUnplaced(options: FollowOptions): Promise<ClusterSnapshot> {
  const { registry, nodeIds, clock, status, signal } = options;
  const startedAtMs = clock.monotonicMs();
  let answeredAtMs = startedAtMs;
  try {
    for (;;) {
      const snapshot = await registry.clusterSnapshot({ signal }).catch((thrown: unknown) => {
        const error = AshlarError.from(thrown);
        if (signal.aborted || !error.retryable || clock.monotonicMs() - answeredAtMs > LIMITS.RETRY_FOR_MS) throw error;
        return undefined;
      });
      if (snapshot !== undefined) {
        answeredAtMs = clock.monotonicMs();
        if (layoutsPlacingOn(snapshot.layouts, nodeIds).length === 0) return snapshot;
        assertStillLeaving(snapshot, nodeIds);
        const figures = await options.askFigures(signal);
        const line = followLine({ nodeIds, snapshot, figures, elapsedMs: answeredAtMs - startedAtMs });
        status.show(() => line);
      }
      await clock.sleep(POLL_MS, { signal });
    }
  } catch (thrown) {
    throw signal.aborted ? stoppedWaiting(nodeIds, thrown) : thrown;
  } finally {
    status.end();
  }
}

function assertStillLeaving({ layouts: [newest] }: ClusterSnapshot, nodeIds: readonly string[]): void {
  if (newest === undefined || layoutsPlacingOn([newest], nodeIds).length === 0) return;
  const back = placingNodeIds(newest).filter((nodeId) => nodeIds.includes(nodeId));
  throw new AshlarError(
    "PRECONDITION_FAILED",
    `layout ${newest.layoutVersion} places chunks on ${back.join(", ")} again: somebody has changed it meanwhile; see \`ashlar layout show\``,
  );
}

/** The error of a command that was interrupted after the layout was changed. */
export function stoppedWaiting(nodeIds: readonly string[], cause: unknown): AshlarError {
  const message = `no longer waiting; the copies of ${nodeIds.join(", ")} go on moving: keep ${nodeIds.length === 1 ? "it" : "them"} running until \`ashlar layout show\` says that nothing is behind`;
  return new AshlarError("CANCELED", message, { cause });
}

/** What is still to be done, in one line. */
export function followLine({
  nodeIds,
  snapshot,
  figures: { moves, repairs },
  elapsedMs,
}: {
  readonly nodeIds: readonly string[];
  readonly snapshot: ClusterSnapshot;
  readonly figures: Redundancy;
  readonly elapsedMs: number;
}): string {
  const older = layoutsPlacingOn(snapshot.layouts, nodeIds).map(({ layoutVersion }) => layoutVersion);
  const behind = moves?.chunkCount ?? 0;
  const parts = [
    `moving the copies of ${nodeIds.join(", ")}`,
    behind > 0
      ? `${formatCount(behind, "chunk")} behind`
      : `layout${older.length === 1 ? "" : "s"} ${older.join(", ")} still in use`,
    ...(repairs === undefined ? [] : [`${formatCount(repairs.count, "copy", "copies")} to make`]),
    formatDuration(Math.round(elapsedMs / 1000) * 1000),
  ];
  return parts.join("  ");
}
