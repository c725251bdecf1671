import type { Clock } from "@ashlar/sdk/ports";

/**
 * The clock behind claims.
 *
 * A claim is the modification time of the chunk file, in wall time so that it survives a restart and other processes can read it. Wall time
 * may jump, so both ends choose the safe value: a chunk may live longer than it must, never shorter.
 *
 * - a stamp is the later of wall time and (wall time at open + monotonic time since);
 * - "now", when ages are computed, is the earlier of the two.
 *
 * So a step forward cannot age earlier claims in a store that was open before the step. A machine that sleeps (wall time goes on, monotonic time
 * may not) stamps what other processes expect. A store that is opened after a step forward knows only wall time: for it, earlier claims are older
 * by the length of the step. So a writer that commits also reads both clocks and takes the later one (the SDK's `startClaims`); receipts end by
 * wall time.
 *
 * A step back leaves stamps in the future. Their chunks stay until the clock reaches them. They are not stamped again: if a process's own clock is
 * behind, all claims look like that to it, and after its clock is corrected the chunks of a running upload would seem old.
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
