import type { Clock } from "@ashlar/sdk/ports";

/**
 * The clock behind claims.
 *
 * A claim is the modification time of the chunk file, in wall time so that it survives a restart and other processes can read it. Wall time
 * may jump, so both ends lean to the safe side, where a chunk lives longer than it must and never shorter:
 *
 * - a stamp is the later of wall time and (wall time at open + monotonic time since);
 * - "now", when ages are computed, is the earlier of the two.
 *
 * In a store that was open before it, a step forward therefore cannot age the claims made before, and a machine that sleeps (wall time goes on,
 * monotonic time may not) stamps what other processes expect. A store that is opened after a step forward knows wall time alone, and to it such
 * claims are as old as the step is long. So whoever commits counts both clocks too, and takes the later one (the SDK's `startClaims`); receipts
 * end by wall time.
 *
 * A step back leaves stamps in the future, and their chunks stay until the clock is there. They are not stamped anew: to a process whose own clock is
 * the one that is behind, every claim looks like that, and once its clock is mended the chunks of a running upload would seem old.
 *
 * A stamp is not fsynced: `utimes` on each claim would cost a disk flush. After a power loss the times on disk may be old, so no claim
 * counts as older than the first opening of the store in this run of the operating system (`floorMs`).
 */
export class ClaimClock {
  readonly #clock: Clock;
  readonly #floorMs: number;
  readonly #offsetMs: number;

  constructor(clock: Clock, floorMs: number) {
    this.#clock = clock;
    this.#floorMs = floorMs;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Wall time in whole ms to stamp a claim with. */
  stampMs(): number {
    return Math.ceil(Math.max(this.#clock.nowMs(), this.#clock.monotonicMs() + this.#offsetMs));
  }

  /** How long ago a file with this modification time was claimed, ms. */
  unclaimedForMs(modifiedAtMs: number): number {
    const nowMs = Math.min(this.#clock.nowMs(), this.#clock.monotonicMs() + this.#offsetMs);
    return Math.max(0, nowMs - Math.max(modifiedAtMs, this.#floorMs));
  }
}
