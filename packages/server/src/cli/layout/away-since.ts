import { LIMITS } from "@ashlar/sdk/limits";
import type { NodeRecord } from "@ashlar/sdk/ports";

/** Age of the last heartbeat from which the registry counts a node as down, and a count of copies as one without it. */
const DOWN_AFTER_MS = LIMITS.HEARTBEAT_INTERVAL_MS * LIMITS.HEARTBEAT_MISSED_MAX;

/** From when on a count of copies saw all of these nodes as away, in ms since the Unix epoch. */
export function awaySinceMs(nodes: readonly NodeRecord[]): number {
  return Math.max(
    ...nodes.map(({ state, lastHeartbeatAtMs }) => lastHeartbeatAtMs + (state === "stopped" ? 0 : DOWN_AFTER_MS)),
  );
}
