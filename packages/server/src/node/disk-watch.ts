import { AshlarError } from "@ashlar/sdk/errors";
import { MIB } from "@ashlar/sdk/limits";
import type { ChunkStore, ChunkStoreStats, Clock, Logger } from "@ashlar/sdk/ports";

/** Free bytes below which a node takes no more chunks: room for the file system and for what is being written. */
export const DISK_RESERVE_BYTES: number = 16 * MIB;

/** How long the disk counts as full before it is looked at again. */
const RECHECK_AFTER_MS = 1000;

/** Knows whether the data disk is full. */
export interface DiskWatch {
  isFull(): boolean;
  /** @throws {AshlarError} DISK_FULL, before anything of a chunk is read. */
  assertWritable(): Promise<void>;
  /** Reports a failed write. After DISK_FULL the disk counts as full until a look at it shows room again. */
  onWriteFailed(error: unknown): void;
  /** Reads the figures of the store, and decides from them whether the disk is full. */
  stats(): Promise<ChunkStoreStats>;
}

/** @param options.reserveBytes default {@link DISK_RESERVE_BYTES}. */
export function createDiskWatch(options: {
  readonly store: ChunkStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reserveBytes?: number | undefined;
}): DiskWatch {
  const { store, clock, logger, reserveBytes = DISK_RESERVE_BYTES } = options;
  let full = false;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const become = (nowFull: boolean, bytesFree: number | undefined): void => {
    if (nowFull !== full) {
      logger.warn({ bytesFree, reserveBytes }, nowFull ? "the disk is full: reads only" : "the disk has room again");
    }
    full = nowFull;
  };
  const stats = async (): Promise<ChunkStoreStats> => {
    const figures = await store.stats();
    lookedAtMs = clock.monotonicMs();
    become(figures.bytesFree !== undefined && figures.bytesFree < reserveBytes, figures.bytesFree);
    return figures;
  };
  return {
    isFull: () => full,
    stats,
    async assertWritable() {
      if (full && clock.monotonicMs() - lookedAtMs >= RECHECK_AFTER_MS) await stats();
      if (full)
        throw new AshlarError(
          "DISK_FULL",
          "the disk of this node is full: make room on it; it takes chunks again by itself",
        );
    },
    onWriteFailed(error) {
      if (!AshlarError.is(error, "DISK_FULL")) return;
      lookedAtMs = clock.monotonicMs();
      become(true, undefined);
    },
  };
}
