import type { AshlarError } from "../errors/index.ts";

/**
 * How loud background work tells that a store did not do what it was asked. A node that went away, perhaps because somebody stopped it, is known to whoever
 * watches the cluster, and what waits for it is counted; anything else may be a fault.
 */
export function levelOfAnswer({ code }: AshlarError): "info" | "warn" {
  return code === "NODE_UNAVAILABLE" ? "info" : "warn";
}
