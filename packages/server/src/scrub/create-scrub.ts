import { type ScrubFault, type ScrubReport, scrub } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type ChunkStore,
  type Clock,
  isScrubbingChunkStore,
  type Logger,
  type Random,
  type ScrubbingChunkStore,
  type ScrubProgress,
  type ScrubRecord,
} from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import { dueInMs, isOverdue, rateOf } from "./pass-of-scrub.ts";
import { type ScrubMeter, scrubMetrics } from "./scrub-metrics.ts";

/** When and how fast a server checks its chunks. */
export interface ScrubSettings {
  /** How often each chunk is checked, in ms; 0: never. Default SCRUB_PERIOD_MS. */
  readonly scrubPeriodMs?: number | undefined;
  /** Most bytes that are read in a second; default SCRUB_BYTES_PER_SECOND. */
  readonly scrubBytesPerSecond?: number | undefined;
}

/** What {@link createScrub} takes. */
export interface ScrubberOptions extends ScrubSettings {
  /** The caller closes it, after the scrub has stopped. Stores that cannot check their chunks are not scrubbed. */
  readonly store: ChunkStore;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Called with each chunk that was put aside or cannot be read. */
  readonly onDamaged?: ((chunkId: Digest) => void) | undefined;
  /** Called some time after damage was found, at most once an hour; the scrub waits for it. */
  readonly afterDamage?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/** The checks of a store's chunks, in the background. */
export interface Scrub {
  /** Idempotent. */
  start(): void;
  /** Ends what runs, and keeps where it is. Idempotent; `start()` may follow. */
  stop(): Promise<void>;
  /** What is wrong with the disk or the checks; `undefined`: nothing. */
  trouble(): "fails" | "overdue" | undefined;
}

/** The first look comes after a part of the period, at most this: a server that starts has other work, and so have others that start with it. */
const FIRST_WITHIN_MS = 10 * 60_000;
const FIRST_SHARE = 0.01;
/** Where a pass is, is written so often: what is read again after a kill is what was read in this time. Costs two syncs. */
const SAVE_EVERY_MS = 5000;
/** Damaged chunks after which a scrub rests: a disk that returns nonsense must not fill the log and the repair queue. */
const DAMAGED_MAX = 32;
/** How long it rests then, or when nothing can be read. */
const REST_MS = 3600_000;
/** A look whether a pass is due: a clock may be set, and another process may have made a pass. */
const LOOK_EVERY_MS = 3600_000;
/** A round that failed is tried again after this time. */
const RETRY_MS = 10 * 60_000;
/** Time to write where it is when the server stops. */
const END_MS = 2000;
/** Stray entries of one round that are logged; the metric counts all. */
const STRAYS_LOGGED_MAX = 100;

/** Creates the checks of one store's chunks. They begin with `start()`, and go on where they were when the server ended. */
export function createScrub(options: ScrubberOptions): Scrub {
  const { store, logger, scrubPeriodMs: periodMs = LIMITS.SCRUB_PERIOD_MS } = options;
  if (!isScrubbingChunkStore(store)) return OFF;
  const meter = scrubMetrics(options.metrics, periodMs);
  if (periodMs === 0) return OFF;
  const scrubber = new Scrubber(options, { store, meter, periodMs });
  let running: { readonly done: Promise<void>; readonly stopping: AbortController } | undefined;
  return {
    start() {
      if (running !== undefined) return;
      const stopping = new AbortController();
      const done = scrubber.run(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) logger.error({ err: error }, "the scrub has ended");
      });
      running = { done, stopping };
    },
    async stop() {
      running?.stopping.abort(new AshlarError("CANCELED", "the server stops"));
      await running?.done;
      running = undefined;
    },
    trouble: () => scrubber.trouble(),
  };
}

const OFF: Scrub = Object.freeze({ start() {}, async stop() {}, trouble: () => undefined });

/** What {@link Scrubber} is made of, besides the options. */
interface ScrubberParts {
  readonly store: ScrubbingChunkStore;
  readonly meter: ScrubMeter;
  readonly periodMs: number;
}

class Scrubber {
  readonly #options: ScrubberOptions;
  readonly #parts: ScrubberParts;
  /** Why the scrub rests, from its end of a round until something sound was read, or until the pass has ended. */
  #failing: "disk" | "damaged" | undefined;
  #isOverdue = false;
  #damageToTell = false;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ScrubberOptions, parts: ScrubberParts) {
    this.#options = options;
    this.#parts = parts;
  }

  trouble(): ReturnType<Scrub["trouble"]> {
    if (this.#failing !== undefined) return "fails";
    return this.#isOverdue ? "overdue" : undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { periodMs } = this.#parts;
    await this.#read(signal).catch(() => {}); // tells what is known; the first round says what is wrong
    await clock.sleep((0.5 + random.fraction() / 2) * Math.min(periodMs * FIRST_SHARE, FIRST_WITHIN_MS), { signal });
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#round(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ err: error }, "chunks could not be checked; it is tried again later");
        waitMs = Math.min(RETRY_MS, periodMs);
      }
      await clock.sleep(waitMs, { signal });
    }
  }

  /** Works on a pass if one is due. @returns how long to wait then, in ms. */
  async #round(signal: AbortSignal): Promise<number> {
    const { clock, logger } = this.#options;
    const { periodMs } = this.#parts;
    const record = await this.#read(signal);
    const waitMs = dueInMs(record, periodMs, clock.nowMs());
    if (waitMs > 0) return Math.min(waitMs, LOOK_EVERY_MS);
    const { endedBy, progress } = await this.#pass(record, signal);
    await this.#tellDamage(signal);
    if (endedBy === "end") {
      this.#fails(undefined);
      const { startedAtMs, ...counts } = progress;
      logger.info({ ...counts, tookMs: Math.max(0, clock.nowMs() - startedAtMs) }, "every chunk was checked");
      return Math.min(dueInMs(await this.#read(signal), periodMs, clock.nowMs()), LOOK_EVERY_MS);
    }
    if (this.#failing === undefined) {
      const why = endedBy === "disk" ? "gives back no file any more" : `has damaged ${DAMAGED_MAX} chunks`;
      logger.error({ ...progress, endedBy }, `the disk ${why}: it may be failing; checks rest for an hour`);
    }
    this.#fails(endedBy);
    return Math.min(REST_MS, periodMs);
  }

  #fails(why: "disk" | "damaged" | undefined): void {
    this.#failing = why;
    this.#parts.meter.diskFails(why !== undefined);
  }

  async #pass(record: ScrubRecord, signal: AbortSignal): Promise<ScrubReport> {
    const { clock, scrubBytesPerSecond: maxBytesPerSecond = LIMITS.SCRUB_BYTES_PER_SECOND } = this.#options;
    const { store, meter, periodMs } = this.#parts;
    const stats = await store.stats({ signal });
    const current = record.current ?? {
      ...{ startedAtMs: clock.nowMs(), chunkCount: 0, byteCount: 0, damagedCount: 0 },
    };
    let progress: ScrubProgress = current;
    let savedAtMs = clock.monotonicMs();
    await this.#save({ ...record, current }, signal);
    try {
      const report = await scrub({
        ...{ store, clock, signal, from: current, damagedMax: DAMAGED_MAX, onFault: this.#noteFault() },
        bytesPerSecond: rateOf(record, { stats, periodMs, maxBytesPerSecond, nowMs: clock.nowMs() }),
        onProgress: async (next) => {
          meter.checked(next.chunkCount - progress.chunkCount, next.byteCount - progress.byteCount);
          progress = next;
          if (this.#failing === "disk") this.#fails(undefined);
          if (clock.monotonicMs() - savedAtMs < SAVE_EVERY_MS) return;
          await this.#save({ ...record, current: progress }, signal);
          savedAtMs = clock.monotonicMs();
          if (clock.nowMs() - this.#toldAtMs >= LOOK_EVERY_MS) await this.#tellDamage(signal);
        },
      });
      meter.checked(report.progress.chunkCount - progress.chunkCount, report.progress.byteCount - progress.byteCount);
      const { pageCursor: _page, lastChunkId: _last, ...counts } = report.progress;
      const ended = report.endedBy === "end" ? { ...counts, endedAtMs: clock.nowMs() } : undefined;
      await this.#save(
        ended ? { sinceMs: record.sinceMs, last: ended } : { ...record, current: report.progress },
        signal,
      );
      return report;
    } catch (error) {
      const save = this.#save({ ...record, current: progress }, AbortSignal.timeout(END_MS));
      await save.catch(() => {}); // what was checked since the last time is then checked again
      throw error;
    }
  }

  #noteFault(): (fault: ScrubFault) => void {
    const { logger, onDamaged } = this.#options;
    let strays = 0;
    return ({ kind, chunkId, path, problem }) => {
      this.#parts.meter.fault(kind);
      if (kind === "stray") {
        if (strays++ < STRAYS_LOGGED_MAX)
          logger.warn({ entry: path, problem }, "an entry does not belong in the store");
        return;
      }
      this.#damageToTell = true;
      if (chunkId === undefined) return;
      // The store has logged what it put aside.
      if (kind === "unreadable") logger.error({ chunkId: encodeHex(chunkId), problem }, "a chunk cannot be read");
      onDamaged?.(chunkId);
    };
  }

  async #tellDamage(signal: AbortSignal): Promise<void> {
    const { clock, afterDamage } = this.#options;
    if (!this.#damageToTell) return;
    this.#damageToTell = false;
    this.#toldAtMs = clock.nowMs();
    const { store, meter } = this.#parts;
    meter.lost((await store.lostChunks({ signal })).length);
    await afterDamage?.(signal);
  }

  /** Reads the record, and tells what it says. */
  async #read(signal: AbortSignal): Promise<ScrubRecord> {
    const { clock } = this.#options;
    const { store, meter } = this.#parts;
    const record = (await store.readScrubRecord({ signal })) ?? { sinceMs: clock.nowMs() };
    this.#show(record);
    meter.lost((await store.lostChunks({ signal })).length);
    return record;
  }

  #show(record: ScrubRecord): void {
    const { meter, periodMs } = this.#parts;
    this.#isOverdue = isOverdue(record, periodMs, this.#options.clock.nowMs());
    meter.record(record, this.#isOverdue);
  }

  /** Keeps a record. If that fails, the pass goes on: at worst it begins anew after a restart. */
  async #save(record: ScrubRecord, signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    try {
      // Another process, such as `ashlar scrub`, may have ended a pass meanwhile.
      const { last } = (await store.readScrubRecord({ signal })) ?? {};
      const isNewer = (last?.endedAtMs ?? 0) > (record.last?.endedAtMs ?? 0);
      const merged = isNewer ? { ...record, last } : record;
      await store.writeScrubRecord(merged, { signal });
      this.#show(merged);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#options.logger.warn({ err: error }, "how far the check of the chunks is could not be written");
    }
  }
}
