import { SCRUB_FILE_COST_BYTES } from "@ashlar/sdk/engine";
import { MIB } from "@ashlar/sdk/limits";
import type { ChunkStoreStats, ScrubRecord } from "@ashlar/sdk/ports";

/** What is known of the passes over a store. */
export type PassOfScrub = Pick<ScrubRecord, "current" | "last">;

/** The share of a period in which a pass should end: the other half is for the times in which the server is off or busy. */
const PASS_SHARE = 0.5;
/** The time that a late pass may still take, as a share of the period: it hurries, and does not race. */
const REST_SHARE = 0.05;
/** A pass over a small store is not drawn out over weeks. */
const RATE_MIN_BYTES = MIB;
/** A pass is told overdue after so many periods without an end: one, and half of one for what kept it. */
const OVERDUE_PERIODS = 1.5;

/** How far a pass is, 0 to 1; 1 if none runs and one has ended. Digests are spread evenly, so the place in their order is the share. */
export function shareOf({ current, last }: PassOfScrub): number {
  if (current === undefined) return last === undefined ? 0 : 1;
  return Number.parseInt((current.lastChunkId ?? "0").slice(0, 8), 16) / 2 ** 32;
}

/** How long until the next pass may begin, in ms; 0: now, also if one was interrupted. A time in the future means that the clock was set back. */
export function dueInMs({ current, last }: PassOfScrub, periodMs: number, nowMs: number): number {
  if (current !== undefined || last === undefined || last.startedAtMs > nowMs) return 0;
  return Math.max(0, last.startedAtMs + periodMs - nowMs);
}

/** Whether no pass has ended for too long. */
export function isOverdue(
  { last, sinceMs }: Pick<ScrubRecord, "last" | "sinceMs">,
  periodMs: number,
  nowMs: number,
): boolean {
  return periodMs > 0 && nowMs - (last?.endedAtMs ?? sinceMs) > periodMs * OVERDUE_PERIODS;
}

/** The bytes per second with which a pass ends in half of its period, from where it is. At most `maxBytesPerSecond`. */
export function rateOf(
  { current }: PassOfScrub,
  options: {
    readonly stats: Pick<ChunkStoreStats, "bytesUsed" | "chunkCount">;
    readonly periodMs: number;
    readonly maxBytesPerSecond: number;
    readonly nowMs: number;
  },
): number {
  const { stats, periodMs, maxBytesPerSecond, nowMs } = options;
  const cost = stats.bytesUsed + stats.chunkCount * SCRUB_FILE_COST_BYTES;
  const left = cost * (current === undefined ? 1 : 1 - shareOf({ current }));
  const endMs = (current === undefined ? nowMs : Math.min(current.startedAtMs, nowMs)) + periodMs * PASS_SHARE;
  const leftMs = Math.max(endMs - nowMs, periodMs * REST_SHARE, 1);
  return Math.min(maxBytesPerSecond, Math.max(RATE_MIN_BYTES, (left / leftMs) * 1000));
}
