import { LIMITS } from "@ashlar/sdk/limits";
import type { ServerState } from "@ashlar/sdk/ports";

/** Age of its last heartbeat in ms from which a server counts as down. */
export const SERVER_DOWN_AFTER_MS: number = LIMITS.HEARTBEAT_INTERVAL_MS * LIMITS.HEARTBEAT_MISSED_MAX;

/** What a server's row says about it at `nowMs`. */
export function serverState(
  row: { readonly stopped: boolean; readonly lastHeartbeatAtMs: number },
  nowMs: number,
): ServerState {
  if (row.stopped) return "stopped";
  return nowMs - row.lastHeartbeatAtMs > SERVER_DOWN_AFTER_MS ? "down" : "up";
}
