import type { Clock } from "@ashlar/sdk/ports";
import { CLUSTER_GRANT_TTL_MS, type GrantKeeper } from "./grant-keeper.ts";

// The scheme is case-insensitive (RFC 9110 §11.1); a token has no spaces.
const BEARER = /^bearer +([^\s]+)$/i;

/** The token of an `authorization: Bearer …` header; `undefined` if there is none or it has another scheme. */
export function bearerToken(authorization: string | null | undefined): string | undefined {
  return authorization?.match(BEARER)?.[1];
}

/**
 * The `authorization` header of calls between the servers of a cluster: a cluster grant, renewed when a third of its life is left.
 * Fits `Endpoint.authorization`.
 */
export function clusterAuthorization(keeper: GrantKeeper, clock: Pick<Clock, "monotonicMs">): () => Promise<string> {
  let current: Promise<string> | undefined;
  let renewAtMs = 0;
  return () => {
    const nowMs = clock.monotonicMs();
    if (current === undefined || nowMs >= renewAtMs) {
      renewAtMs = nowMs + (CLUSTER_GRANT_TTL_MS * 2) / 3;
      current = keeper.issueCluster().then((token) => `Bearer ${token}`);
    }
    return current;
  };
}
