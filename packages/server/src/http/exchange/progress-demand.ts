import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { Demand } from "./pace.ts";

/** Slots or bytes are crowded when this share of them is taken: slow clients are in the way of others then. */
const CROWDED_FROM = 1 / 2;

/** From this share on, answers that are not taken are in the way too. One client alone does not reach it; below it, a silent kernel is no fault. */
const ANSWERS_CROWDED_FROM = 7 / 8;

const MIN_RATE = HTTP_LIMITS.PROGRESS_MIN_BYTES_PER_SECOND.value;

/** Windows in ms: `patienceMs` while nobody waits for the client's place, at most `unauthenticatedMs` while others do. */
export interface ProgressWindows {
  readonly patienceMs: number;
  readonly unauthenticatedMs: number;
}

/** Whether slow clients are in the way of others. */
export function isCrowded(crowding: number): boolean {
  return crowding >= CROWDED_FROM;
}

/**
 * The rate that the sender of a body has to keep up. When crowded, the rate doubles with each sixteenth that is taken, and the window shrinks: the
 * more is held of what others wait for, the more bandwidth it costs to hold it.
 *
 * @param crowding from 0 to 1.
 */
export function bodyDemand({ patienceMs, unauthenticatedMs }: ProgressWindows, crowding: number): Demand {
  if (!isCrowded(crowding)) return { windowMs: patienceMs, minBytesPerSecond: MIN_RATE };
  const over = Math.min(1, crowding) - CROWDED_FROM;
  const shrunkMs = HTTP_LIMITS.PROGRESS_WINDOW_MS.value * (1 - over / (1 - CROWDED_FROM));
  return {
    windowMs: Math.min(unauthenticatedMs, Math.max(HTTP_LIMITS.CROWDED_WINDOW_MS.value, shrunkMs)),
    minBytesPerSecond: Math.min(HTTP_LIMITS.CROWDED_BYTES_PER_SECOND.value, MIN_RATE * 2 ** (over * 16)),
  };
}

/** The rate that the taker of an answer has to keep up. It never rises: the kernel takes much at once, and then shows no movement. */
export function answerDemand({ patienceMs, unauthenticatedMs }: ProgressWindows, crowding: number): Demand {
  const windowMs = crowding < ANSWERS_CROWDED_FROM ? patienceMs : Math.min(patienceMs, unauthenticatedMs);
  return { windowMs, minBytesPerSecond: MIN_RATE };
}
