import type { CollectReport } from "@ashlar/sdk/engine";
import type { Clock, RemainingWork, Tracer } from "@ashlar/sdk/ports";
import { inSpan } from "@ashlar/sdk/tracing";
import { DURATION_BUCKETS_SECONDS, type Metrics } from "../observability/metrics.ts";
import type { CopiesReport } from "./count-copies.ts";
import type { RebalanceReport } from "./rebalance.ts";
import type { RepairReport } from "./repair.ts";

/** Runs work and measures it. */
export interface MaintenanceRecorder {
  collection(work: () => Promise<CollectReport>): Promise<CollectReport>;
  rebalance(work: () => Promise<RebalanceReport>): Promise<RebalanceReport>;
  repair(work: () => Promise<RepairReport>): Promise<RepairReport>;
  check(work: () => Promise<{ readonly problems: number }>): Promise<void>;
  copies(work: () => Promise<CopiesReport>): Promise<void>;
  /** Tells how many layouts are in use. With one, no chunk is behind, whichever gateway moved the last ones. */
  layouts(count: number): void;
  /** Tells what is left to do. */
  work(work: RemainingWork): void;
}

/** @param options.tracer makes each round a span called `maintenance.<task>`; without it, every call in a round would be a trace of its own. */
export function maintenanceMetrics(options: {
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, "monotonicMs" | "nowMs">;
  readonly tracer?: Tracer | undefined;
}): MaintenanceRecorder {
  const { metrics, clock, tracer } = options;
  const durations = metrics.histogram({
    name: "ashlar_maintenance_duration_seconds",
    help: "One round of background work",
    labelNames: ["task", "outcome"],
    buckets: DURATION_BUCKETS_SECONDS,
  });
  const things = metrics.counter({
    name: "ashlar_maintenance_things_total",
    help: "What background work did, by what was done",
    labelNames: ["what"],
  });
  const rate = metrics.gauge({
    name: "ashlar_repair_bytes_per_second",
    help: "Bytes of restored copies by the time of the last round that restored any, in this gateway",
  });
  const tellWork = workGauges(options);
  const refusing = metrics.gauge({
    name: "ashlar_stores_refusing",
    help: "Chunk stores that delete nothing, because the metadata database is another or an older one than they served: see ashlar fsck",
  });
  const damaged = metrics.gauge({
    name: "ashlar_metadata_problems",
    help: "Damages that the last examination and the last collection found in the metadata database",
  });
  const tellCopies = copiesGauges(options);
  const problems = { check: 0, collection: 0 };
  const tellDamage = (found: Partial<typeof problems>): void => {
    Object.assign(problems, found);
    damaged.set(problems.check + problems.collection);
  };
  const timed = async <Report extends object>(
    task: string,
    work: () => Promise<Report>,
    done: (report: Report) => ReadonlyArray<[string, number]> = (report) => Object.entries(report),
  ): Promise<Report> => {
    const startedAtMs = clock.monotonicMs();
    let outcome = "failed";
    try {
      const report = await inSpan(tracer, { name: `maintenance.${task}` }, work);
      for (const [what, count] of done(report)) things.add(count, { what });
      outcome = "ok";
      return report;
    } finally {
      durations.observe((clock.monotonicMs() - startedAtMs) / 1000, { task, outcome });
    }
  };
  return {
    async collection(work) {
      const report = await timed("collect", work);
      refusing.set(report.storesRefusing);
      tellDamage({ collection: report.damagesFound });
      return report;
    },
    async check(work) {
      tellDamage({ check: (await timed("check", work)).problems });
    },
    layouts: tellWork.layouts,
    work: tellWork.all,
    async copies(work) {
      tellCopies(await timed("copies", work, () => []));
    },
    async rebalance(work) {
      const report = await timed("rebalance", work, ({ chunksBehind: _behind, ...did }) => Object.entries(did));
      tellWork.behind(report.chunksBehind);
      return report;
    },
    async repair(work) {
      const startedAtMs = clock.monotonicMs();
      const report = await timed("repair", work, ({ waiting: _waiting, ...did }) => Object.entries(did));
      const durationMs = Math.max(1, clock.monotonicMs() - startedAtMs);
      if (report.bytesRepaired > 0) rate.set(report.bytesRepaired / (durationMs / 1000));
      return report;
    },
  };
}

/** Creates the gauges of what is left to do, and the functions that set them: all after a count, some as soon as they are known. */
function workGauges({ metrics }: Pick<Parameters<typeof maintenanceMetrics>[0], "metrics">): {
  readonly all: (work: RemainingWork) => void;
  readonly layouts: (count: number) => void;
  readonly behind: (count: number) => void;
} {
  const waiting = metrics.gauge({
    name: "ashlar_repairs_waiting",
    help: "Copies that wait for repair: missing ones, and those that move after a change of the layout",
  });
  const bytes = metrics.gauge({ name: "ashlar_repair_bytes_waiting", help: "Bytes of the copies that wait" });
  const failing = metrics.gauge({
    name: "ashlar_repairs_failing",
    help: "Copies that could not be restored in five tries or more",
  });
  const behind = metrics.gauge({
    name: "ashlar_chunks_behind_layout",
    help: "Chunks that do not follow the newest layout yet",
  });
  const inUse = metrics.gauge({
    name: "ashlar_layouts_in_use",
    help: "The newest layout, and older ones that some chunk still follows: more than 1 while copies move",
  });
  const counted = metrics.gauge({
    name: "ashlar_work_counted_timestamp_seconds",
    help: "When the copies that wait and the chunks behind the newest layout were last counted, in seconds since the Unix epoch; 0: not yet",
  });
  const end = metrics.gauge({
    name: "ashlar_work_expected_end_timestamp_seconds",
    help: "When nothing of it will be left, at the rate of the last ten minutes, in seconds since the Unix epoch; 0: nothing is left, it does not become less, or some of it waits for a node that is away",
  });
  const layouts = (count: number): void => {
    inUse.set(count);
    if (count <= 1) behind.set(0);
  };
  return {
    layouts,
    behind: (count) => behind.set(count),
    all(work) {
      layouts(work.layoutsInUse);
      behind.set(work.chunksBehind);
      waiting.set(work.copiesWaiting);
      bytes.set(work.copyBytesWaiting);
      failing.set(work.copiesFailing);
      counted.set(work.countedAtMs / 1000);
      end.set((work.expectedEndAtMs ?? 0) / 1000);
    },
  };
}

/** Creates the gauges of the last count of copies. The function that it returns sets them. */
function copiesGauges({
  metrics,
  clock,
}: Pick<Parameters<typeof maintenanceMetrics>[0], "metrics" | "clock">): (report: CopiesReport) => void {
  const byCopies = metrics.gauge({
    name: "ashlar_chunks_by_copies",
    help: "Chunks, by how many of their copies are on nodes that are up",
    labelNames: ["copies"],
  });
  const lost = metrics.gauge({ name: "ashlar_chunks_lost", help: "Chunks that no node has a copy of" });
  const short = metrics.gauge({
    name: "ashlar_chunks_short_of_copies",
    help: "Chunks that have fewer copies on nodes that are up than their layout asks for",
  });
  const counted = metrics.gauge({
    name: "ashlar_chunks_counted_timestamp_seconds",
    help: "When chunks were last counted by their copies, in seconds since the Unix epoch; 0: not yet",
  });
  return (report) => {
    for (const [copies, count] of report.byCopies.entries()) byCopies.set(count, { copies: String(copies) });
    lost.set(report.lost);
    short.set(report.short);
    counted.set(clock.nowMs() / 1000);
  };
}
