import { AshlarError } from "@ashlar/sdk/errors";

/** @throws {AshlarError} INVALID_ARGUMENT unless it has 1 to 64 characters of [A-Za-z0-9._-]. */
export function assertNodeId(nodeId: string): void {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(nodeId)) return;
  throw new AshlarError("INVALID_ARGUMENT", "a node id has 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'");
}
