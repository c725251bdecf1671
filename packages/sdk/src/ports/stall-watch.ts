import { AshlarError, type ErrorCode } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import * as LIMITS from "../limit-values.ts";
import type { Ticker } from "./clock.ts";
import { systemTicker } from "./system.ts";

/** How often silence is measured, in ms. Ticks are counted, not read from a clock: a process that was itself frozen missed them, and so blames nobody. */
const TICK_MS = 1000;
/** While a peer is known to hang, a call waits this many ticks for a sign of life before it fails. */
const REFUSED_AFTER_TICKS = 2;
/**
 * A browser has six connections to one server over HTTP/1.1, for all pages and stores together. If these take them, a probe waits behind them and says
 * nothing about the server. With two calls here, two more pages may have as many.
 */
const PAGE_CALLS_MAX = 2;

/** A probe that has no answer by then is given up. */
const PROBE_MAX_MS = LIMITS.PEER_STALLED_AFTER_MS - LIMITS.PEER_PROBE_AFTER_MS;

/** What {@link createStallWatch} takes. */
export interface StallWatchOptions {
  /** What hangs, for messages, such as `the server at http://…`. */
  readonly peer: string;
  /** Of the errors; a retryable one. */
  readonly code: ErrorCode;
  readonly details?: Readonly<Record<string, string>> | undefined;
  /**
   * Asks the peer for a sign of life, on another connection than the calls use. Resolves with any answer, rejects without one. Absent: silent peers
   * are never found to hang, and only ANSWER_SILENCE_MAX_MS holds.
   */
  readonly probe?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Called when the peer is found to hang, before its calls end: drops the connections to it. */
  readonly onStalled?: (() => void) | undefined;
  readonly ticker?: Ticker | undefined;
}

/** A call that waits for the peer. */
export interface WatchedCall {
  /** A byte moved, in either direction. */
  heard(): void;
  /** The call is over. */
  end(): void;
}

/**
 * Finds a peer that hangs: it owes something, moves no byte for PEER_STALLED_AFTER_MS on any call, and answers no probe either. So neither a slow
 * network nor long work on one call is taken for it. Every call that waits for the peer ends then.
 */
export interface StallWatch {
  /** Whether the peer was found to hang and has shown no sign of life since. Then {@link ready} comes before a call is sent. */
  isStalled(): boolean;
  /**
   * Waits for a sign of life of a peer that was found to hang.
   *
   * @throws {AshlarError} with the watch's code after two seconds without one. Nothing was sent, so the call did not happen.
   */
  ready(signal?: AbortSignal): Promise<void>;
  /** To be called when something is sent, and the answer is owed. @param abort ends the call. */
  begin(abort: (error: AshlarError) => void): WatchedCall;
  /** Stops probes and timers. */
  close(): void;
}

/** Code of the cause of a call that was not sent, for those who must know whether a write may have happened. */
export const NOT_SENT = "ERR_NOT_SENT";

interface Running {
  silentMs: number;
  readonly abort: (error: AshlarError) => void;
}

interface Probe {
  /** Ticks since it began. */
  ticks: number;
  readonly controller: AbortController;
  /** Resolves with or without an answer. */
  readonly done: Promise<void>;
}

/** Watches one peer. Costs nothing while no call runs; otherwise a timer, and a probe each PEER_PROBE_AFTER_MS of silence, one at a time. */
export function createStallWatch(options: StallWatchOptions): StallWatch {
  return new Watch(options);
}

class Watch implements StallWatch {
  readonly #options: StallWatchOptions;
  readonly #calls = new Set<Running>();
  /** Since the last byte on any call, or the last answer to a probe, in ms of ticks. */
  #silentMs = 0;
  /** Since the last byte on any call. */
  #callsSilentMs = 0;
  #closed = false;
  #stalled = false;
  #probe: Probe | undefined;
  #stopTicks: (() => void) | undefined;
  /** Calls that wait for a tick in `ready`. */
  #waiting: (() => void)[] = [];

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  isStalled(): boolean {
    return this.#stalled;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (!this.#stalled) return;
    this.#startTicks();
    this.#probe ??= this.#startProbe();
    const probe = this.#probe;
    while (this.#stalled && this.#probe === probe && probe.ticks < REFUSED_AFTER_TICKS) {
      const ticked = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await raceAbort(Promise.race([probe.done, ticked]), signal);
    }
    if (!this.#stalled) return;
    const cause = Object.assign(new Error("nothing was sent"), { code: NOT_SENT });
    const silentMs = String(LIMITS.PEER_STALLED_AFTER_MS);
    throw this.#failure("still hangs; nothing was sent", { reason: "STALLED", silentMs }, cause);
  }

  begin(abort: (error: AshlarError) => void): WatchedCall {
    const call: Running = { silentMs: 0, abort };
    this.#calls.add(call);
    this.#startTicks();
    return {
      heard: () => {
        if (!this.#calls.has(call)) return;
        call.silentMs = 0;
        this.#callsSilentMs = 0;
        this.#heard();
      },
      end: () => void this.#calls.delete(call),
    };
  }

  close(): void {
    this.#closed = true;
    this.#stopTicks?.();
    this.#stopTicks = undefined;
    this.#probe?.controller.abort();
    this.#wake();
  }

  #heard(): void {
    this.#silentMs = 0;
    this.#stalled = false;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #startTicks(): void {
    if (this.#stopTicks !== undefined || this.#closed) return;
    this.#silentMs = 0;
    this.#callsSilentMs = 0;
    this.#stopTicks = (this.#options.ticker ?? systemTicker)(TICK_MS, () => this.#tick());
  }

  #startProbe(): Probe {
    const controller = new AbortController();
    const { signal } = controller;
    const asked = async (): Promise<void> => await this.#options.probe?.(signal);
    const done = raceAbort(asked(), signal)
      .then(
        () => this.#heard(),
        () => {}, // silence goes on
      )
      .then(() => {
        if (this.#probe === probe) this.#probe = undefined;
      });
    const probe: Probe = { ticks: 0, controller, done };
    return probe;
  }

  #tick(): void {
    const calls = this.#calls;
    if (calls.size === 0 && this.#probe === undefined) {
      this.#stopTicks?.();
      this.#stopTicks = undefined;
      return;
    }
    // While no call runs nothing is owed.
    this.#silentMs = calls.size === 0 ? 0 : this.#silentMs + TICK_MS;
    this.#callsSilentMs = calls.size === 0 ? 0 : this.#callsSilentMs + TICK_MS;
    for (const call of calls) call.silentMs += TICK_MS;
    this.#endTooLong();
    const probe = this.#probe;
    if (probe !== undefined && ++probe.ticks * TICK_MS >= PROBE_MAX_MS) probe.controller.abort();
    this.#wake();
    if (this.#options.probe === undefined || calls.size === 0) return;
    if (this.#silentMs >= LIMITS.PEER_PROBE_AFTER_MS) this.#probe ??= this.#startProbe();
    const crowded = "location" in globalThis && calls.size > PAGE_CALLS_MAX;
    if (this.#silentMs >= LIMITS.PEER_STALLED_AFTER_MS && !crowded) this.#endSilent();
  }

  #endSilent(): void {
    const silentMs = this.#silentMs;
    const error = this.#failure(`hangs: no byte for ${silentMs / 1000} s, and no answer to a probe`, {
      reason: "STALLED",
      silentMs: String(silentMs),
    });
    this.#stalled = true;
    this.#options.onStalled?.();
    for (const { abort } of [...this.#calls]) abort(error);
  }

  /** If no call moves, the connection that they share may be known to this end only. */
  #endTooLong(): void {
    const calls = [...this.#calls];
    const tooLong = calls.filter((call) => call.silentMs >= LIMITS.ANSWER_SILENCE_MAX_MS);
    if (tooLong.length === 0) return;
    if (this.#callsSilentMs >= LIMITS.PEER_STALLED_AFTER_MS) this.#options.onStalled?.();
    for (const { abort } of tooLong) abort(this.#failure("does not answer this call", { reason: "SILENT" }));
  }

  #failure(message: string, more: Readonly<Record<string, string>>, cause?: Error): AshlarError {
    const { code, peer, details } = this.#options;
    return new AshlarError(code, `${peer} ${message}`, { details: { ...details, ...more }, cause });
  }
}
