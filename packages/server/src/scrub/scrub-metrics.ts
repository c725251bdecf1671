import type { ScrubFault } from "@ashlar/sdk/engine";
import type { Metrics } from "../observability/metrics.ts";
import { type PassOfScrub, shareOf } from "./pass-of-scrub.ts";

/** Sets the figures of a scrub. */
export interface ScrubMeter {
  /** Adds what was checked since the last call. */
  checked(chunkCount: number, byteCount: number): void;
  fault(kind: ScrubFault["kind"]): void;
  /** Tells what the record says. @param isOverdue the last pass ended too long ago. */
  record(pass: PassOfScrub, isOverdue: boolean): void;
  lost(count: number): void;
  diskFails(isFailing: boolean): void;
}

/** @param periodMs 0: no scrub. */
export function scrubMetrics(metrics: Metrics, periodMs: number): ScrubMeter {
  const gauge = (name: string, help: string): { set(value: number): void } => metrics.gauge({ name, help });
  const counter = (name: string, help: string): { add(count: number): void } => metrics.counter({ name, help });
  const chunks = counter("ashlar_scrub_chunks_total", "Chunk files that the scrub has read and checked");
  const bytes = counter("ashlar_scrub_bytes_total", "Payload bytes of the chunk files that the scrub has checked");
  const faults = metrics.counter({
    name: "ashlar_scrub_faults_total",
    help: "What the scrub found: damaged files, which it put aside; files that the disk does not give back; stray entries, which are no chunks",
    labelNames: ["fault"],
  });
  const period = gauge("ashlar_scrub_period_seconds", "How often the scrub checks each chunk; 0: never");
  const progress = gauge(
    "ashlar_scrub_progress_ratio",
    "How far the scrub is in its pass, 0 to 1; 1 between two passes",
  );
  const started = gauge(
    "ashlar_scrub_pass_started_timestamp_seconds",
    "When the last pass of the scrub began, in seconds since the Unix epoch; 0: none did",
  );
  const ended = gauge(
    "ashlar_scrub_last_pass_timestamp_seconds",
    "When the last full pass of the scrub ended, in seconds since the Unix epoch; 0: none did",
  );
  const overdue = gauge(
    "ashlar_scrub_overdue",
    "1 if no full pass of the scrub has ended for one and a half periods, else 0",
  );
  const lost = gauge(
    "ashlar_scrub_lost_chunks",
    "Chunks that were put aside because they were damaged, and are absent since, up to 1,000: repair makes them again on a node",
  );
  const failing = gauge(
    "ashlar_scrub_disk_failing",
    "1 while the scrub rests because the disk fails: it gives back no file, or too many damaged ones",
  );
  period.set(periodMs / 1000);
  // From the start, because Prometheus sees no increase in a counter that begins with 1.
  for (const fault of ["damaged", "unreadable", "stray"]) faults.add(0, { fault });
  for (const zero of [chunks, bytes]) zero.add(0);
  for (const unset of [progress, started, ended, overdue, lost, failing]) unset.set(0);
  return {
    checked(chunkCount, byteCount) {
      chunks.add(chunkCount);
      bytes.add(byteCount);
    },
    fault: (fault) => faults.add(1, { fault }),
    record(pass, isOverdue) {
      progress.set(shareOf(pass));
      started.set((pass.current?.startedAtMs ?? pass.last?.startedAtMs ?? 0) / 1000);
      ended.set((pass.last?.endedAtMs ?? 0) / 1000);
      overdue.set(isOverdue ? 1 : 0);
    },
    lost: (count) => lost.set(count),
    diskFails: (isFailing) => failing.set(isFailing ? 1 : 0),
  };
}
