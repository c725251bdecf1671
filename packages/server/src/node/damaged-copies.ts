import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { type ChunkStore, type Clock, isScrubbingChunkStore, type Logger } from "@ashlar/sdk/ports";

/** The copies of a node that the registry is to queue for repair. */
export interface DamagedCopies {
  /** Those that the next heartbeat tells, up to DAMAGED_TOLD_MAX; `undefined`: none. Never rejects. */
  next(): Promise<readonly Digest[] | undefined>;
  /** Notes a chunk that a reader asked for and that is not here. The registry knows whether it should be. */
  readonly noteAbsent: (chunkId: Digest) => void;
  /** The registry has them. */
  told(chunkIds: readonly Digest[]): void;
}

/** How often the folder of what was put aside is looked at; a scrub, a reader or another process may have found it. */
const LOOK_EVERY_MS = 10_000;
/** Of chunks that readers missed; older ones make room. Readers ask for many that never were here, while copies move. */
const ABSENT_MAX = 4 * LIMITS.DAMAGED_TOLD_MAX;
/** Told again if it is absent still: the registry's database may have been restored to an older state. */
const TELL_AGAIN_MS = 3600_000;

/**
 * Tells the registry which copies were put aside, whoever found them damaged, and which ones readers missed: a direct client that finds another copy has
 * nobody else to tell. The store remembers them in its folder, so none is forgotten when the
 * node ends before it could tell; and none is told that was made again since.
 *
 * Memory: the ids of LIST_LIMIT_MAX chunks at most, and of ABSENT_MAX that were missed. With more, the first ones are told first, and repair makes them again.
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
  /** When each chunk that a reader missed was told; oldest note first. */
  const absent = new Map<string, { readonly chunkId: Digest; readonly toldAtMs: number }>();
  const isDueSince = (toldAtMs = Number.NEGATIVE_INFINITY): boolean => clock.monotonicMs() - toldAtMs >= TELL_AGAIN_MS;
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
      const due = lost.filter((chunkId) => isDueSince(toldAtMs.get(encodeHex(chunkId))));
      const known = new Set(due.map(encodeHex));
      for (const [id, note] of absent) if (!known.has(id) && isDueSince(note.toldAtMs)) due.push(note.chunkId);
      return due.length === 0 ? undefined : due.slice(0, LIMITS.DAMAGED_TOLD_MAX);
    },
    noteAbsent(chunkId) {
      const id = encodeHex(chunkId);
      if (absent.has(id)) return;
      absent.set(id, { chunkId, toldAtMs: Number.NEGATIVE_INFINITY });
      for (const oldest of absent.keys()) {
        if (absent.size <= ABSENT_MAX) break;
        absent.delete(oldest);
      }
    },
    told(chunkIds) {
      const nowMs = clock.monotonicMs();
      for (const chunkId of chunkIds) {
        const id = encodeHex(chunkId);
        toldAtMs.set(id, nowMs);
        const note = absent.get(id);
        if (note !== undefined) absent.set(id, { ...note, toldAtMs: nowMs });
      }
      logger.info({ chunkCount: chunkIds.length }, "the registry was told which copies are damaged or missing here");
    },
  };
}
