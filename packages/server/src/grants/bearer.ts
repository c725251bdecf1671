import type { Clock } from "@ashlar/sdk/ports";
import { CLUSTER_GRANT_TTL_MS, type GrantKeeper } from "./grant-keeper.ts";

// The scheme is case-insensitive (RFC 9110 §11.1); a token has no spaces.
const BEARER = /^bearer +([^\s]+)$/i;

/** The token of an `authorization: Bearer …` header; `undefined` if there is none or it has another scheme. */
export function bearerToken(authorization: string | null | undefined): string | undefined {
  return authorization?.match(BEARER)?.[1];
}

/**
 * The `authorization` header of calls between the servers of a cluster: a cluster grant, renewed when a third of its life is left by monotonic or by
 * wall time, and when the other server refused it. Each of these clocks may be wrong: monotonic time stands still while a machine sleeps, and a grant
 * that was made while the wall clock was behind has ended before it is used. Fits `Endpoint.authorization`.
 */
export function clusterAuthorization(
  keeper: GrantKeeper,
  clock: Pick<Clock, "nowMs" | "monotonicMs">,
): (refused?: string) => Promise<string> {
  let held: { readonly value: Promise<string>; readonly wallMs: number; readonly monotonicMs: number } | undefined;
  const issue = (): Promise<string> => {
    const value = keeper.issueCluster().then((token) => `Bearer ${token}`);
    const issued = { value, wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    held = issued;
    value.catch(() => {
      if (held === issued) held = undefined;
    });
    return value;
  };
  return async (refused) => {
    if (held === undefined) return await issue();
    const { value, wallMs, monotonicMs } = held;
    const ageMs = Math.max(clock.nowMs() - wallMs, clock.monotonicMs() - monotonicMs);
    if (ageMs >= (CLUSTER_GRANT_TTL_MS * 2) / 3) return await issue();
    const current = await value;
    if (current !== refused) return current;
    // Another call may have made one meanwhile.
    return await (held === undefined || held.value === value ? issue() : held.value);
  };
}
