import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest } from "@ashlar/sdk/hash";
import type { ClusterGrant, ReadGrant, TicketGrant, WriteGrant } from "./grant.ts";

/** @throws {AshlarError} PERMISSION_DENIED unless the grant allows to read this chunk. */
export function assertMayRead(grant: ClusterGrant | ReadGrant, chunkId: Digest): void {
  if (grant.kind === "read" && !bytesEqual(grant.chunkId, chunkId)) {
    throw new AshlarError("PERMISSION_DENIED", "the grant is for another chunk");
  }
}

/**
 * Checks the scope of a ticket or write grant. A grant without a key covers every key of its bucket that begins with its prefix.
 *
 * @throws {AshlarError} PERMISSION_DENIED.
 */
export function assertInScope(
  grant: TicketGrant | WriteGrant,
  scope: { readonly bucket: string; readonly key: string; readonly apiKeyId?: string | undefined },
): void {
  if (grant.bucket !== scope.bucket) throw new AshlarError("PERMISSION_DENIED", "the ticket is for another bucket");
  if (grant.key !== undefined && grant.key !== scope.key) {
    throw new AshlarError("PERMISSION_DENIED", "the ticket is for another key");
  }
  if (grant.prefix !== undefined && !scope.key.startsWith(grant.prefix)) {
    throw new AshlarError("PERMISSION_DENIED", "the ticket is for keys with another prefix");
  }
  if (grant.kind === "ticket" && scope.apiKeyId !== undefined && grant.apiKeyId !== scope.apiKeyId) {
    throw new AshlarError("PERMISSION_DENIED", "the ticket was given to another API key");
  }
}
