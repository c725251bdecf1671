import { LIMITS } from "@ashlar/sdk/limits";
import type { NodeState } from "@ashlar/sdk/ports";

/** Age of its last heartbeat in ms from which a node counts as down. */
export const NODE_DOWN_AFTER_MS: number = LIMITS.HEARTBEAT_INTERVAL_MS * LIMITS.HEARTBEAT_MISSED_MAX;

/** What a node's row says about it at `nowMs`. */
export function nodeState(
  row: { readonly stopped: boolean; readonly lastHeartbeatAtMs: number },
  nowMs: number,
): NodeState {
  if (row.stopped) return "stopped";
  return nowMs - row.lastHeartbeatAtMs > NODE_DOWN_AFTER_MS ? "down" : "up";
}
