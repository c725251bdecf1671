import { LIMITS } from "@ashlar/sdk/limits";
import type { ServerState } from "@ashlar/sdk/ports";

const DOWN_AFTER_MS = LIMITS.HEARTBEAT_INTERVAL_MS.value * LIMITS.HEARTBEAT_MISSED_MAX.value;

/** What a server's row says about it at `nowMs`. */
export function serverState(
  row: { readonly stopped: boolean; readonly lastHeartbeatAtMs: number },
  nowMs: number,
): ServerState {
  if (row.stopped) return "stopped";
  return nowMs - row.lastHeartbeatAtMs > DOWN_AFTER_MS ? "down" : "up";
}
