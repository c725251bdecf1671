import {
  type CollectOptions,
  type CollectReport,
  collect,
  type ExamineOptions,
  examineStore,
  type ReplicatedStore,
  type Topology,
  takeDatabaseStep,
} from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { CallOptions, Clock, DatabaseIdentity, Logger, Random, RepairQueue, Tracer } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import { copiesCounter } from "./count-copies.ts";
import { maintenanceMetrics } from "./maintenance-metrics.ts";
import { type RepairReport, repair } from "./repair.ts";
import { type Schedule, startSchedule } from "./schedule.ts";

/** What {@link createMaintenance} takes. Durations in ms; defaults in `LIMITS`. */
export interface MaintenanceOptions {
  readonly metadata: CollectOptions["metadata"] &
    ExamineOptions["metadata"] &
    RepairQueue &
    Pick<DatabaseIdentity, "checkIntegrity">;
  /** The caller closes it. */
  readonly topology: Topology;
  /** Over the topology; repair reads from it. */
  readonly chunks: Pick<ReplicatedStore, "get">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Makes a span of each round. Default: none. */
  readonly tracer?: Tracer | undefined;
  /** Default COLLECT_INTERVAL_MS. */
  readonly collectIntervalMs?: number | undefined;
  /** Default 30 s: long enough for a node to restart, short against the time in which a second one fails. */
  readonly repairIntervalMs?: number | undefined;
  /** Chunks claimed less than this long ago are kept; default CLAIM_TTL_MS. */
  readonly claimTtlMs?: number | undefined;
  /** Default COLLECT_GRACE_MS. */
  readonly graceMs?: number | undefined;
  /** Default UPLOAD_TTL_MS. */
  readonly uploadTtlMs?: number | undefined;
}

/** What one round of all background work did. */
export interface MaintenanceReport extends CollectReport, RepairReport {}

/** Background work of a gateway. Claimed through SQL, so any number of gateways may run it. */
export interface Maintenance {
  /** Repairs, then collects, now. @throws {AshlarError} METADATA_UNAVAILABLE; what was done stays done. */
  runOnce(options?: CallOptions): Promise<MaintenanceReport>;
  /** Starts the schedules. Idempotent. */
  start(): void;
  /** Stops them and waits for what runs. Idempotent; `start()` may follow. */
  stop(): Promise<void>;
}

const REPAIR_INTERVAL_MS = 30_000;
/** Longest time of the last database step: a node that does not answer must not keep a gateway from stopping. */
const STEP_AT_END_MS = 2000;
/** Damages of one examination that are logged one by one; the metric counts all. */
const LOGGED_MAX = 100;
/** The check reads all of an SQLite file, so it does not run more often. */
const CHECK_INTERVAL_MS = 24 * 3600 * 1000;

/**
 * Creates the background work of a gateway: collection, repair and their figures. It begins with `start()`. One gateway that does it is enough for a
 * cluster; any number may do it.
 */
export function createMaintenance(options: MaintenanceOptions): Maintenance {
  const { clock, random, logger } = options;
  const record = maintenanceMetrics(options);

  const collectNow = (call: CallOptions): Promise<CollectReport> =>
    record.collection(async () => {
      const report = await collect({ ...options, ...call });
      if (Object.values(report).some((count) => count > 0)) logger.info({ ...report }, "collected");
      return report;
    });
  const repairNow = (call: CallOptions): Promise<RepairReport> =>
    record.repair(async () => {
      const report = await repair({ ...options, ...call });
      if (Object.values(report).some((count) => count > 0)) logger.info({ ...report }, "repaired");
      return report;
    });

  const countNow = copiesCounter(options, record);

  const checkNow = (call: CallOptions): Promise<void> =>
    record.check(async () => {
      const problems = await options.metadata.checkIntegrity(call);
      for (const problem of problems) logger.error({ problem }, "the metadata database is damaged");
      let rowProblems = 0;
      const { metadata } = options;
      await examineStore({
        ...{ metadata, ...call },
        onProblem: ({ what, bucket, key }) => {
          if (rowProblems++ < LOGGED_MAX)
            logger.error({ problem: what, bucket, key }, "rows of the metadata are damaged");
        },
      });
      return { problems: problems.length + rowProblems };
    });

  const stepNow = (signal: AbortSignal): Promise<void> =>
    takeDatabaseStep({ ...options, signal }).catch((error: unknown) => {
      if (signal.aborted) return;
      const { message } = AshlarError.from(error);
      logger.warn({ error: message }, "not every store was told the latest step of the metadata database");
    });

  let schedules: readonly Schedule[] = [];
  let starting: { readonly done: Promise<void>; readonly abort: AbortController } | undefined;
  return {
    async runOnce(call = {}) {
      const repaired = await repairNow(call);
      await countNow(call);
      return { ...repaired, ...(await collectNow(call)) };
    },
    start() {
      if (schedules.length > 0) return;
      const abort = new AbortController();
      starting = { abort, done: stepNow(abort.signal) };
      const common = { clock, random, logger };
      schedules = [
        startSchedule({
          ...common,
          name: "collect",
          intervalMs: options.collectIntervalMs ?? LIMITS.COLLECT_INTERVAL_MS,
          run: async (signal) => void (await collectNow({ signal })),
        }),
        startSchedule({
          ...common,
          name: "repair",
          intervalMs: options.repairIntervalMs ?? REPAIR_INTERVAL_MS,
          // The count comes after the repairs, which change it.
          run: async (signal) => {
            await repairNow({ signal });
            await countNow({ signal });
          },
        }),
        startSchedule({
          ...common,
          name: "check",
          intervalMs: CHECK_INTERVAL_MS,
          run: (signal) => checkNow({ signal }),
        }),
      ];
    },
    async stop() {
      const stopping = schedules;
      schedules = [];
      starting?.abort.abort();
      await Promise.all([...stopping.map((schedule) => schedule.stop()), starting?.done]);
      starting = undefined;
      if (stopping.length > 0) await stepNow(AbortSignal.timeout(STEP_AT_END_MS));
    },
  };
}
