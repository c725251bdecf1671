import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Clock, type MetadataStore, silentLogger, systemClock } from "@ashlar/sdk/ports";
import { beforeEach, expect, it } from "vitest";
import { type LeasedJobOptions, runLeasedJob } from "./leased-job.ts";

const HOUR_MS = 3_600_000;

let aheadMs: number;
let metadata: MetadataStore;
/** Ends the sleeps that wait for so long or less. */
let wake: (durationMs: number) => void;
let clock: Clock;

beforeEach(() => {
  aheadMs = 0;
  const nowMs = (): number => systemClock.nowMs() + aheadMs;
  metadata = createMemoryMetadataStore({ clock: { ...systemClock, nowMs } });
  const sleepers = new Set<{ durationMs: number; resolve(): void }>();
  wake = (durationMs) => {
    aheadMs += durationMs;
    for (const sleeper of sleepers) if (sleeper.durationMs <= durationMs) sleeper.resolve();
  };
  clock = {
    ...{ nowMs, monotonicMs: () => aheadMs },
    sleep: (durationMs, options) =>
      new Promise((resolve, reject) => {
        const sleeper = { durationMs, resolve };
        sleepers.add(sleeper);
        options?.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
      }),
  };
});

const job = (more: Partial<LeasedJobOptions> & Pick<LeasedJobOptions, "run">): Promise<void> =>
  runLeasedJob({
    ...{ metadata, clock, logger: silentLogger, job: "collect", everyMs: HOUR_MS },
    signal: new AbortController().signal,
    ...more,
  });

it("runs once in its time, whichever worker comes first", async () => {
  let runs = 0;
  const run = async (): Promise<void> => void runs++;
  await Promise.all([1, 2, 3].map(() => job({ run })));
  expect(runs).toBe(1);
  aheadMs += HOUR_MS;
  await job({ run });
  expect(runs).toBe(2);
});

it("is given back when its pause is no whole number of milliseconds", async () => {
  let runs = 0;
  const run = async (): Promise<void> => void runs++;
  await job({ run, everyMs: 73.5, restMs: () => 99_999.25 });
  expect((await metadata.listJobs())[0]).toMatchObject({ isClaimed: false });
  aheadMs += 60_000;
  await job({ run });
  expect(runs).toBe(1);
  aheadMs += 40_000;
  await job({ run });
  expect(runs).toBe(2);
});

it("keeps others away as long as it runs, however long that is", async () => {
  let end = (): void => {};
  const running = job({ run: () => new Promise((resolve) => (end = resolve)) });
  let others = 0;
  for (let minute = 0; minute < 10; minute++) {
    await expect.poll(async () => (await metadata.listJobs())[0]?.isClaimed).toBe(true);
    await job({ run: async () => void others++ });
    const before = (await metadata.listJobs())[0]?.dueAtMs ?? 0;
    wake(20_000);
    await expect.poll(async () => (await metadata.listJobs())[0]?.dueAtMs).toBeGreaterThan(before);
  }
  end();
  await running;
  expect(others).toBe(0);
  expect((await metadata.listJobs())[0]).toMatchObject({ isClaimed: false, attempts: 0 });
});

it("stops when another worker has taken it over", async () => {
  let told: unknown;
  const late = job({
    run: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          told = signal.reason;
          reject(signal.reason);
        });
      }),
  });
  await expect.poll(async () => (await metadata.listJobs()).length).toBe(1);
  aheadMs += 61_000;
  let isOther = false;
  let end = (): void => {};
  const other = job({
    run: () =>
      new Promise((resolve) => {
        isOther = true;
        end = resolve;
      }),
  });
  await expect.poll(() => isOther).toBe(true);
  wake(20_000);
  await expect(late).rejects.toMatchObject({ code: "CANCELED" });
  expect(told).toMatchObject({ message: expect.stringContaining("taken over") });
  // What the late one says at its end changes nothing for the other.
  expect((await metadata.listJobs())[0]).toMatchObject({ isClaimed: true });
  end();
  await other;
});

it("is due again soon after a failure, and says what failed", async () => {
  const failing = async (): Promise<void> => {
    throw new AshlarError("METADATA_UNAVAILABLE", "away");
  };
  await expect(job({ run: failing })).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
  expect((await metadata.listJobs())[0]).toMatchObject({ isClaimed: false, attempts: 1, lastError: "away" });
  let runs = 0;
  await job({ run: async () => void runs++ });
  expect(runs).toBe(0);
  aheadMs += 61_000;
  await job({ run: async () => void runs++ });
  expect(runs).toBe(1);
});

it("is given back at once when the server stops", async () => {
  const stop = new AbortController();
  const run = async (signal: AbortSignal): Promise<void> => {
    stop.abort(new AshlarError("CANCELED", "the server stops"));
    throw signal.reason;
  };
  await expect(job({ signal: stop.signal, run })).rejects.toMatchObject({ code: "CANCELED" });
  let runs = 0;
  await job({ run: async () => void runs++ });
  expect(runs).toBe(1);
  expect((await metadata.listJobs())[0]).toMatchObject({ attempts: 0 });
});
