import type { CallOptions, ChunkStore, ChunkStoreStats } from "@ashlar/sdk/ports";

/** How long figures are given again, in ms: unauthenticated callers may ask as often as they like. */
const KEPT_MS = 1000;

/**
 * The figures of a store for any caller: at most a second old, and one look for all callers that wait for it. A failure goes to these callers and is
 * not kept.
 *
 * @param nowMs a clock that never goes back.
 */
export function createRecentStats(
  store: Pick<ChunkStore, "stats">,
  nowMs: () => number,
): (call: { readonly fresh: boolean } & CallOptions) => Promise<ChunkStoreStats> {
  let known: { readonly stats: ChunkStoreStats; readonly seenAtMs: number } | undefined;
  let looking: Promise<ChunkStoreStats> | undefined;
  // No caller's signal ends it: others may wait for the same look.
  const look = async (): Promise<ChunkStoreStats> => {
    try {
      const stats = await store.stats();
      known = { stats, seenAtMs: nowMs() };
      return stats;
    } finally {
      looking = undefined;
    }
  };
  return ({ fresh, signal }) => {
    if (fresh) return store.stats({ signal });
    if (known !== undefined && nowMs() - known.seenAtMs < KEPT_MS) return Promise.resolve(known.stats);
    looking ??= look();
    return looking;
  };
}
