import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import type { ScrubbedChunk, ScrubbingChunkStore, ScrubRecord } from "@ashlar/sdk/ports";
import { type Clock, silentLogger } from "@ashlar/sdk/ports";
import { testChunks } from "@ashlar/sdk/testing";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createMetrics } from "../observability/index.ts";
import { createScrub, type Scrub, type ScrubberOptions } from "./index.ts";

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const PERIOD_MS = 30 * DAY_MS;
const COUNT = 20;
/** When a server that has started looks whether a pass is due. */
const FIRST_MS = 10 * 60_000;
const START_MS = 1_700_000_000_000;

/** A clock that stands still until the test moves it, wall time too, and knows how many calls sleep. */
function createStillClock(): Clock & { advance(ms: number): void; readonly sleeperCount: number } {
  let now = START_MS;
  const sleepers = new Set<{ readonly dueAtMs: number; readonly wake: () => void }>();
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: (durationMs, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const sleeper = { dueAtMs: now + durationMs, wake: resolve };
        const abort = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        if (signal?.aborted) return abort();
        sleepers.add(sleeper);
        signal?.addEventListener("abort", abort, { once: true });
      }),
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers]) {
        if (sleeper.dueAtMs > now) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    get sleeperCount() {
      return sleepers.size;
    },
  };
}

let folder: string;
let store: ScrubbingChunkStore;
let clock: ReturnType<typeof createStillClock>;
let scrubs: Scrub[];
let checked: string[];
/** What a check says instead of what it found, by the number of the chunk in the pass. */
let answers: (id: string) => ScrubbedChunk | undefined;
let metrics: ReturnType<typeof createMetrics>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-scrub-"));
  const inner = await openFsChunkStore({ path: folder, durability: "os" });
  for (const { chunkId, bytes } of await testChunks(COUNT, 1000)) await inner.putChunk(chunkId, bytes);
  checked = [];
  answers = () => undefined;
  metrics = createMetrics();
  clock = createStillClock();
  scrubs = [];
  store = {
    capabilities: inner.capabilities,
    putChunk: (...args) => inner.putChunk(...args),
    getChunk: (...args) => inner.getChunk(...args),
    hasChunks: (...args) => inner.hasChunks(...args),
    deleteChunks: (...args) => inner.deleteChunks(...args),
    listChunks: (...args) => inner.listChunks(...args),
    stats: (...args) => inner.stats(...args),
    lostChunks: (...args) => inner.lostChunks(...args),
    readScrubRecord: (...args) => inner.readScrubRecord(...args),
    writeScrubRecord: (...args) => inner.writeScrubRecord(...args),
    async scrubChunk(chunkId: Digest, options) {
      const id = encodeHex(chunkId);
      const answer = answers(id);
      const found = answer ?? (await inner.scrubChunk(chunkId, options));
      checked.push(id);
      return found;
    },
    close: () => inner.close(),
  };
});

afterEach(async () => {
  for (const scrub of scrubs) await scrub.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function start(options: Partial<ScrubberOptions> = {}): Scrub {
  const random = { fraction: () => 1 };
  const scrub = createScrub({
    store,
    clock,
    random,
    metrics,
    logger: silentLogger,
    scrubPeriodMs: PERIOD_MS,
    ...options,
  });
  scrubs.push(scrub);
  scrub.start();
  return scrub;
}

/** Starts, and lets the time before the first look pass. */
async function begin(options: Partial<ScrubberOptions> = {}): Promise<Scrub> {
  const scrub = start(options);
  await settle();
  clock.advance(FIRST_MS);
  return scrub;
}

/** Lets time pass in steps, each when everybody sleeps, until something is so. */
async function until(isSo: () => boolean | Promise<boolean>, stepMs: number): Promise<void> {
  await vi.waitFor(
    async () => {
      if (await isSo()) return;
      if (clock.sleeperCount > 0) clock.advance(stepMs);
      throw new Error("not yet");
    },
    { timeout: 60_000, interval: 1 },
  );
}

/** Lets everything run that needs no time: no new check comes while nobody's time passes. */
async function settle(): Promise<void> {
  await vi.waitFor(() => expect(clock.sleeperCount).toBeGreaterThan(0), { timeout: 60_000, interval: 1 });
}

async function figure(name: string): Promise<number> {
  const { text } = await metrics.render();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );
}

const lastPass = async (): Promise<ScrubRecord["last"]> => (await store.readScrubRecord())?.last;

describe("the checks of a server", () => {
  test("begin minutes after its start, take every chunk once, and come again after the period", async () => {
    start();
    await settle();
    clock.advance(9 * 60_000);
    await settle();
    expect(checked).toEqual([]);
    await until(async () => (await lastPass()) !== undefined, 60_000);
    await settle();
    expect(checked).toEqual([...new Set(checked)].sort());
    expect(checked).toHaveLength(COUNT);
    expect(await lastPass()).toMatchObject({ chunkCount: COUNT, damagedCount: 0, byteCount: expect.any(Number) });
    expect(await figure("ashlar_scrub_chunks_total")).toBe(COUNT);
    expect(await figure("ashlar_scrub_last_pass_timestamp_seconds")).toBeGreaterThan(START_MS / 1000);
    expect(await figure("ashlar_scrub_progress_ratio")).toBe(1);
    const { startedAtMs } = (await lastPass())!;
    await until(() => clock.nowMs() >= startedAtMs + PERIOD_MS - HOUR_MS, HOUR_MS);
    await settle();
    expect(checked).toHaveLength(COUNT);
    await until(() => checked.length === 2 * COUNT, HOUR_MS);
  });

  test("read no faster than it takes to end in half of the period, but a small store at a MiB a second", async () => {
    await begin();
    const beganAtMs = clock.nowMs();
    await until(async () => (await lastPass()) !== undefined, 10);
    // 20 files of 64 KiB and a little, at 1 MiB/s.
    const tookMs = (await lastPass())!.endedAtMs - beganAtMs;
    expect(tookMs).toBeGreaterThan(1000);
    expect(tookMs).toBeLessThan(3000);
  });

  test("are off with a period of 0, and for stores that cannot be checked", async () => {
    start({ scrubPeriodMs: 0 });
    start({ store: createMemoryChunkStore() });
    clock.advance(2 * PERIOD_MS);
    expect(clock.sleeperCount).toBe(0);
    expect(await store.readScrubRecord()).toBeUndefined();
    expect(await figure("ashlar_scrub_period_seconds")).toBe(0);
  });

  test("go on after a restart where they were, and the pass counts what both did", async () => {
    const first = await begin();
    await until(() => checked.length >= 7, 10);
    await first.stop();
    const before = [...checked];
    const { current } = (await store.readScrubRecord())!;
    expect(current).toMatchObject({ lastChunkId: before.at(-1), chunkCount: before.length });
    start();
    await until(async () => (await lastPass()) !== undefined, 60_000);
    expect(checked).toHaveLength(COUNT);
    expect(checked).toEqual([...new Set(checked)].sort());
    expect(await lastPass()).toMatchObject({ chunkCount: COUNT, startedAtMs: current!.startedAtMs });
    expect((await store.readScrubRecord())?.current).toBeUndefined();
  });

  test("keep where they are now and then, so that a kill costs seconds", async () => {
    await begin({ scrubBytesPerSecond: 64 * 1024 });
    await until(async () => ((await store.readScrubRecord())?.current?.chunkCount ?? 0) >= 4, 1000);
    const { current } = (await store.readScrubRecord())!;
    expect(current?.lastChunkId).toBe(checked[current!.chunkCount - 1]);
    expect(checked.length).toBeLessThan(COUNT);
  });

  test("keep a pass that another process ended meanwhile, and go on with their own", async () => {
    await begin({ scrubBytesPerSecond: 64 * 1024 });
    await until(() => checked.length >= 2, 1000);
    const last = { startedAtMs: 1, endedAtMs: clock.nowMs() + 1, chunkCount: 3, byteCount: 3, damagedCount: 0 };
    const known = (await store.readScrubRecord())!;
    await store.writeScrubRecord({ ...known, last });
    await until(async () => ((await store.readScrubRecord())?.current?.chunkCount ?? 0) >= 5, 1000);
    expect((await store.readScrubRecord())?.last).toEqual(last);
  });

  test("are overdue when no pass has ended for one and a half periods", async () => {
    await store.writeScrubRecord({ sinceMs: START_MS - PERIOD_MS });
    const scrub = start();
    await settle();
    expect(scrub.trouble()).toBeUndefined();
    await scrub.stop();
    await store.writeScrubRecord({ sinceMs: START_MS - 2 * PERIOD_MS });
    const late = start();
    await vi.waitFor(() => expect(late.trouble()).toBe("overdue"));
    expect(await figure("ashlar_scrub_overdue")).toBe(1);
    await until(async () => (await lastPass()) !== undefined, 60_000);
    await until(() => late.trouble() === undefined, 1000);
  });
});

describe("a disk that fails", () => {
  const unreadable: ScrubbedChunk = { state: "unreadable", sizeBytes: 0, problem: "it cannot be read: EIO" };

  test("as a whole is told once an hour, and no chunk is told as damaged; the pass goes on when it is back", async () => {
    const damaged: string[] = [];
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (_: object, text: string) => void errors.push(text) };
    let isBroken = false;
    answers = () => (isBroken ? unreadable : undefined);
    const scrub = await begin({
      logger: { ...logger, child: () => logger } as never,
      onDamaged: (chunkId) => void damaged.push(encodeHex(chunkId)),
    });
    await until(() => checked.length >= 5, 10);
    isBroken = true;
    await until(() => scrub.trouble() === "fails", 1000);
    expect(await figure("ashlar_scrub_disk_failing")).toBe(1);
    const tries = checked.length;
    // Each hour eight files are tried, and that is all.
    for (let hour = 0; hour < 6; hour++) {
      await settle();
      clock.advance(HOUR_MS);
      await until(() => checked.length >= tries + 8 * (hour + 1), 1000);
    }
    expect(checked.length).toBeLessThanOrEqual(tries + 8 * 7);
    expect(errors).toEqual([expect.stringContaining("the disk gives back no file any more")]);
    expect(damaged).toEqual([]);
    isBroken = false;
    await until(async () => (await lastPass()) !== undefined, 60_000);
    expect(scrub.trouble()).toBeUndefined();
    expect(await lastPass()).toMatchObject({ chunkCount: COUNT, damagedCount: 0 });
  });

  test("by returning nonsense gets an hour of rest after 32 damaged chunks", async () => {
    const more = await testChunks(100, 300);
    for (const { chunkId, bytes } of more) await store.putChunk(chunkId, bytes);
    answers = () => ({ state: "damaged", sizeBytes: 0, problem: "nonsense" });
    const damaged: string[] = [];
    const scrub = await begin({ onDamaged: (chunkId) => void damaged.push(encodeHex(chunkId)) });
    await until(() => scrub.trouble() === "fails", 1000);
    expect(damaged).toHaveLength(32);
    await settle();
    clock.advance(HOUR_MS - 1000);
    await settle();
    expect(damaged).toHaveLength(32);
    await until(() => damaged.length === 64, 1000);
    // It goes on behind those that it found.
    expect(new Set(damaged).size).toBe(64);
  });
});

test("a round that fails is tried again", async () => {
  const { listChunks } = store;
  let isBroken = true;
  store.listChunks = async (...args) => {
    if (isBroken) throw new Error("the folder cannot be listed");
    return await listChunks(...args);
  };
  await begin();
  await until(async () => (await store.readScrubRecord())?.current !== undefined, 60_000);
  isBroken = false;
  await until(async () => (await lastPass()) !== undefined, 60_000);
});
