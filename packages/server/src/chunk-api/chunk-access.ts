import { AshlarError } from "@ashlar/sdk/errors";
import { bearerToken, type GrantKeeper, type GrantOf } from "../grants/index.ts";
import type { Caller } from "../http/bounds/admission.ts";
import type { ChunkApiStatus } from "./chunk-api-options.ts";

/** Kinds of grants that a chunk API accepts. */
export type ChunkGrantKind = "cluster" | "write" | "read";

/** Who calls: the holder of a grant, or anybody where access is not controlled. */
export type ChunkCaller = GrantOf<ChunkGrantKind> | { readonly kind: "anybody" };

/** What a call wants to do, and the grants that allow it. */
export const ALLOWED_GRANTS = Object.freeze({
  write: ["cluster", "write"],
  claim: ["cluster", "write"],
  read: ["cluster", "read"],
  maintain: ["cluster"],
}) satisfies Readonly<Record<string, readonly ChunkGrantKind[]>>;

export type ChunkAction = keyof typeof ALLOWED_GRANTS;

/** Decides whether a caller is let in. */
export type ChunkAccess = (authorization: string | null, action: ChunkAction) => Promise<ChunkCaller>;

/**
 * For whom slots and bytes of a caller count: the API key that its grant came from, and the ticket. Grants of earlier releases name no key.
 */
export function callerIdOf(caller: ChunkCaller): Caller {
  switch (caller.kind) {
    case "write":
      return { credential: caller.apiKeyId, token: caller.ticketId };
    case "read":
      return { credential: caller.apiKeyId };
    default:
      return {};
  }
}

const ANYBODY: ChunkCaller = Object.freeze({ kind: "anybody" });

/**
 * Checks the `authorization` header of a call before anything of its body is read.
 *
 * A read grant names one chunk; the handler that learns the chunk id compares it.
 * @throws {AshlarError} (from the access) UNAUTHENTICATED, PERMISSION_DENIED, NODE_UNAVAILABLE while the server stops.
 */
export function createChunkAccess(grants: GrantKeeper | undefined, status: () => ChunkApiStatus): ChunkAccess {
  return async (authorization, action) => {
    if (status() === "stopping") throw new AshlarError("NODE_UNAVAILABLE", "the server is shutting down");
    if (grants === undefined) return ANYBODY;
    return await grants.verify(bearerToken(authorization), ALLOWED_GRANTS[action]);
  };
}
