import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { type ChunkStore, type Clock, isScrubbingChunkStore, type Logger } from "@ashlar/sdk/ports";

/** The copies of a node that the registry is to queue for repair. */
export interface DamagedCopies {
  /** Those that the next heartbeat tells, up to DAMAGED_TOLD_MAX; `undefined`: none. Never rejects. */
  next(): Promise<readonly Digest[] | undefined>;
  /** The registry has them. */
  told(chunkIds: readonly Digest[]): void;
}

/** How often the folder of what was put aside is looked at; a scrub, a reader or another process may have found it. */
const LOOK_EVERY_MS = 10_000;
/** Told again if it is absent still: the registry's database may have been restored to an older state. */
const TELL_AGAIN_MS = 3600_000;

/**
 * Tells the registry which copies were put aside, whoever found them damaged. The store remembers them in its folder, so none is forgotten when the
 * node ends before it could tell; and none is told that was made again since.
 *
 * Memory: the ids of LIST_LIMIT_MAX chunks at most. With more, the first ones are told first, and repair makes them again.
 */
export function createDamagedCopies(options: {
  readonly store: ChunkStore;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
}): DamagedCopies {
  const { store, clock, logger } = options;
  let lookAgainAtMs = Number.NEGATIVE_INFINITY;
  /** When each was told, of those that were absent at the last look. */
  let toldAtMs = new Map<string, number>();
  let lost: readonly Digest[] = [];
  const look = async (): Promise<void> => {
    if (!isScrubbingChunkStore(store) || clock.monotonicMs() < lookAgainAtMs) return;
    lookAgainAtMs = clock.monotonicMs() + LOOK_EVERY_MS;
    lost = await store.lostChunks();
    const still = new Set(lost.map(encodeHex));
    toldAtMs = new Map([...toldAtMs].filter(([id]) => still.has(id)));
  };
  return {
    async next() {
      await look().catch((error: unknown) => {
        logger.warn(
          { err: error },
          "the copies that were put aside could not be listed; the next heartbeat tries again",
        );
      });
      const nowMs = clock.monotonicMs();
      const isDue = (chunkId: Digest): boolean =>
        nowMs - (toldAtMs.get(encodeHex(chunkId)) ?? Number.NEGATIVE_INFINITY) >= TELL_AGAIN_MS;
      const due = lost.filter(isDue).slice(0, LIMITS.DAMAGED_TOLD_MAX);
      return due.length === 0 ? undefined : due;
    },
    told(chunkIds) {
      for (const chunkId of chunkIds) toldAtMs.set(encodeHex(chunkId), clock.monotonicMs());
      logger.info({ chunkCount: chunkIds.length }, "the registry was told which damaged copies to repair");
    },
  };
}
