import { monitorEventLoopDelay } from "node:perf_hooks";
import { percentile } from "../statistics.ts";

/** How often the event loop is looked at, and resident memory is read, in ms. */
const LOOP_RESOLUTION_MS = 1;
const MEMORY_INTERVAL_MS = 20;

/** What one phase of a load showed. Times in ms, MB = 10^6 bytes. */
export interface PhaseReport {
  readonly objects: number;
  readonly sizeBytes: number;
  readonly elapsedMs: number;
  /** Of one object, from the call to its end. */
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** How long the app's event loop was blocked, beyond the sampling interval. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** Largest resident memory of the app's process while the phase ran. */
  readonly peakRssBytes: number;
}

/** How much to do, and how. */
export interface PhasePlan {
  /** Objects at most. */
  readonly count: number;
  /** Calls at once. */
  readonly inFlight: number;
  /** No new object starts after this time; default: no limit. */
  readonly limitMs?: number | undefined;
}

/** Runs `work` for the objects 0, 1, 2 …, several at once, and measures. @param work resolves with the bytes that it moved. */
export async function runPhase(plan: PhasePlan, work: (index: number) => Promise<number>): Promise<PhaseReport> {
  const latenciesMs: number[] = [];
  const { limitMs = Number.POSITIVE_INFINITY } = plan;
  let next = 0;
  let sizeBytes = 0;
  const watch = watchProcess();
  const startedAtMs = performance.now();
  const lane = async (): Promise<void> => {
    while (next < plan.count) {
      const beganAtMs = performance.now();
      if (beganAtMs - startedAtMs > limitMs) return;
      const moved = await work(next++);
      sizeBytes += moved;
      latenciesMs.push(performance.now() - beganAtMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(plan.inFlight, plan.count) }, lane));
    return {
      objects: latenciesMs.length,
      sizeBytes,
      elapsedMs: performance.now() - startedAtMs,
      latencyP50Ms: percentile(latenciesMs, 0.5),
      latencyP99Ms: percentile(latenciesMs, 0.99),
      ...watch.figures(),
    };
  } finally {
    watch.stop();
  }
}

function watchProcess(): {
  figures(): Pick<PhaseReport, "loopP99Ms" | "loopMaxMs" | "peakRssBytes">;
  stop(): void;
} {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  let peakRssBytes = process.memoryUsage.rss();
  const sample = (): void => {
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(sample, MEMORY_INTERVAL_MS);
  loop.enable();
  // The histogram holds the time between two samples: the sampling interval is no stall.
  const stallMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS);
  return {
    figures() {
      sample();
      return { loopP99Ms: stallMs(loop.percentile(99)), loopMaxMs: stallMs(loop.max), peakRssBytes };
    },
    stop() {
      clearInterval(timer);
      loop.disable();
    },
  };
}
