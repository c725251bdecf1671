import { MIB } from "@ashlar/sdk/limits";
import type { Clock } from "@ashlar/sdk/ports";

/** Spaces out the bytes that go to each node, so that background work leaves it room for the requests of users. */
export interface Pacer {
  /** Waits until a node may get so many more bytes. */
  take(nodeId: string, sizeBytes: number, signal: AbortSignal | undefined): Promise<void>;
}

/** Half of what one disk of the cheap kind writes with fsync; a TiB is restored in 4.5 hours, on as many nodes side by side as lack something. */
export const REPAIR_BYTES_PER_SECOND: number = 64 * MIB;

/** @param options.repairBytesPerSecond for each node; default 64 MiB. */
export function createPacer(options: {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly repairBytesPerSecond?: number | undefined;
}): Pacer {
  const { clock, repairBytesPerSecond = REPAIR_BYTES_PER_SECOND } = options;
  /** When each node may get its next bytes. */
  const freeAtMs = new Map<string, number>();
  return {
    async take(nodeId, sizeBytes, signal) {
      const nowMs = clock.monotonicMs();
      const startMs = Math.max(nowMs, freeAtMs.get(nodeId) ?? 0);
      freeAtMs.set(nodeId, startMs + (sizeBytes / repairBytesPerSecond) * 1000);
      if (startMs > nowMs) await clock.sleep(startMs - nowMs, { signal });
    },
  };
}
