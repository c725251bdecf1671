import type { Clock } from "../ports/index.ts";

/**
 * Starts to count time that must not be counted too short: what ends elsewhere, such as a claim or a ticket, by a clock that is not ours.
 *
 * @returns ms since the start, by wall or monotonic time, whichever says more, and never less than at an earlier look: while a machine sleeps its
 *   monotonic time may stand still, and wall time may be set.
 */
export function startElapsed(clock: Clock): () => number {
  const wallMs = clock.nowMs();
  const monotonicMs = clock.monotonicMs();
  let mostMs = 0;
  return () => {
    mostMs = Math.max(mostMs, clock.nowMs() - wallMs, clock.monotonicMs() - monotonicMs);
    return mostMs;
  };
}
