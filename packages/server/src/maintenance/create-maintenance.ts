import {
  type CollectOptions,
  type CollectReport,
  type ExamineOptions,
  examineStore,
  type ReplicatedStore,
  type Topology,
  takeDatabaseStep,
} from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type {
  AwayNodes,
  CallOptions,
  ChunkLocations,
  Clock,
  DatabaseIdentity,
  JobLeases,
  Logger,
  Random,
  RemainingWork,
  RepairQueue,
  Tracer,
} from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import type { ScrubSettings } from "../scrub/index.ts";
import { awayNodeWatch } from "./away-nodes.ts";
import { copiesCounter } from "./count-copies.ts";
import { type LeasedJobOptions, runLeasedJob } from "./leased-job.ts";
import { localScrub } from "./local-scrub.ts";
import { type MaintenanceRecorder, maintenanceMetrics } from "./maintenance-metrics.ts";
import { type RemainingWorkCounter, remainingWorkCounter } from "./remaining-work.ts";
import { type CopiesMoved, type MaintenanceRounds, maintenanceRounds } from "./rounds.ts";
import { type Schedule, startSchedule } from "./schedule.ts";

/** What {@link createMaintenance} takes. Durations in ms; the defaults in capitals are in `LIMITS`. The scrub is that of one local store. */
export interface MaintenanceOptions extends ScrubSettings {
  readonly metadata: CollectOptions["metadata"] &
    ExamineOptions["metadata"] &
    RepairQueue &
    ChunkLocations &
    JobLeases &
    AwayNodes &
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
  /** Most bytes that repair writes to one node in a second; default 64 MiB. */
  readonly repairBytesPerSecond?: number | undefined;
  /** How long a node may be away before its copies are made on others; default RE_REPLICATE_AFTER_MS. 0: for ever. */
  readonly reReplicateAfterMs?: number | undefined;
  /** Chunks claimed less than this long ago are kept; default CLAIM_TTL_MS. */
  readonly claimTtlMs?: number | undefined;
  /** Default COLLECT_GRACE_MS. */
  readonly graceMs?: number | undefined;
  /** Default UPLOAD_TTL_MS. */
  readonly uploadTtlMs?: number | undefined;
}

/** What one round of all background work did. */
export interface MaintenanceReport extends CollectReport, CopiesMoved {}

/**
 * Background work of a gateway. Repair, rebalance and collection are claimed in the metadata database with leases, so any number of gateways may run
 * them: none does what another does, and another goes on when one dies. Each gateway counts copies and examines the database for figures of its own.
 */
export interface Maintenance {
  /**
   * Moves copies to where the newest layout wants them, repairs what is due, then collects, now: also if another gateway does.
   * @throws {AshlarError} METADATA_UNAVAILABLE; what was done stays done.
   */
  runOnce(options?: CallOptions): Promise<MaintenanceReport>;
  /** Starts the schedules. Idempotent. */
  start(): void;
  /** Stops them and waits for what runs. Idempotent; `start()` may follow. */
  stop(): Promise<void>;
  /** What is left to do in the whole cluster, as last counted; `undefined` before the first count. */
  remainingWork(): RemainingWork | undefined;
}

/** A job is due a little before the schedule comes to it, whose jitter is a quarter either way: else every second round would find it not due. */
const DUE_EARLIER = 0.7;
const REPAIR_INTERVAL_MS = 30_000;
/** Nodes that are away are looked at, and chunks let follow the layout, as often as nodes tell that they are up. */
const LAYOUT_INTERVAL_MS = 10_000;
/** A first round of repair that takes longer than this must not hide what is left to do. */
const UNCOUNTED_MAX_MS = 5 * 60_000;
/** Rebalance rests ten times as long as its look at all rows took: what waits for a node that is away must not be all that a database reads. */
const PAUSE_SHARE = 10;
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
  const { logger } = options;
  const record = maintenanceMetrics(options);

  const rounds = maintenanceRounds(options, record);
  const countNow = copiesCounter(options, record);
  const scrub = localScrub(options);

  const stepNow = (signal: AbortSignal): Promise<void> => tellDatabaseStep(options, signal);

  const work = remainingWorkCounter({ ...options, intervalMs: options.repairIntervalMs });
  // Figures only: what is to be done goes on without them, also where a count takes a database longer than it may.
  const countWork: ScheduledWork["countWork"] = async (call) => {
    try {
      const counted = await work.count(call);
      if (counted !== undefined) record.work(counted);
    } catch (error) {
      if (call.signal?.aborted) throw error;
      logger.warn({ error: AshlarError.from(error).message }, "what is left to do could not be counted");
    }
  };
  let schedules: readonly Schedule[] = [];
  let starting: { readonly done: Promise<void>; readonly abort: AbortController } | undefined;
  return {
    async runOnce(call = {}) {
      const followed = await rounds.followLayout(call);
      await countNow(call);
      await countWork({ ...call, always: true });
      return { ...followed, ...(await rounds.collectNow(call)) };
    },
    remainingWork: work.last,
    start() {
      if (schedules.length > 0) return;
      const abort = new AbortController();
      starting = { abort, done: stepNow(abort.signal) };
      scrub.start();
      schedules = startSchedules(options, { record, rounds, countNow, countWork });
    },
    async stop() {
      const stopping = schedules;
      schedules = [];
      starting?.abort.abort();
      await Promise.all([...stopping.map((schedule) => schedule.stop()), starting?.done, scrub.stop()]);
      starting = undefined;
      if (stopping.length > 0) await stepNow(AbortSignal.timeout(STEP_AT_END_MS));
    },
  };
}

/** What the schedules run. */
interface ScheduledWork {
  readonly record: MaintenanceRecorder;
  readonly rounds: MaintenanceRounds;
  /** Counts chunks by their copies, if it is time. */
  readonly countNow: (call: CallOptions) => Promise<void>;
  readonly countWork: (call: Parameters<RemainingWorkCounter["count"]>[0]) => Promise<void>;
}

function startSchedules(
  options: MaintenanceOptions,
  { record, rounds, countNow, countWork }: ScheduledWork,
): readonly Schedule[] {
  const { clock, random, logger } = options;
  const { collectNow, repairNow, rebalanceNow } = rounds;
  const watchNodes = awayNodeWatch(options);
  const leased = { metadata: options.metadata, clock, logger };
  const collectIntervalMs = options.collectIntervalMs ?? LIMITS.COLLECT_INTERVAL_MS;
  const repairIntervalMs = options.repairIntervalMs ?? REPAIR_INTERVAL_MS;
  const layoutIntervalMs = Math.min(repairIntervalMs, LAYOUT_INTERVAL_MS);
  /** Whether some chunk follows an older layout than the newest. */
  const isLayoutChanging = async (): Promise<boolean> => {
    const layouts = (await options.topology.view?.layoutsInUse()) ?? [];
    record.layouts(layouts.length);
    return layouts.length > 1;
  };
  const common = { clock, random, logger };
  const startedAtMs = clock.monotonicMs();
  let areCopiesCounted = false;
  /** Not before chunks were counted by their copies: only that count says whether a copy that waits is missing or moves. */
  const countLeft = async (call: CallOptions): Promise<void> => {
    if (areCopiesCounted || clock.monotonicMs() - startedAtMs > UNCOUNTED_MAX_MS) await countWork(call);
  };
  const collecting = startSchedule({
    ...common,
    name: "collect",
    intervalMs: collectIntervalMs,
    run: (signal) =>
      runLeasedJob({
        ...{ ...leased, signal, job: "collect", everyMs: collectIntervalMs * DUE_EARLIER },
        run: async (lease) => void (await collectNow({ signal: lease })),
      }),
  });
  const repairing = startSchedule({
    ...common,
    name: "repair",
    intervalMs: repairIntervalMs,
    // Again at once while there was something to do: copies that move are queued meanwhile. The count comes after the repairs, which change it.
    run: async (signal) => {
      while ((await repairNow({ signal })).chunksRepaired > 0) await countLeft({ signal });
      await countNow({ signal });
      areCopiesCounted = true;
      await countLeft({ signal });
    },
  });
  const followingLayout = startSchedule({
    ...common,
    name: "layout",
    intervalMs: layoutIntervalMs,
    // Beside repair, whose rounds may take hours: a node that is lost meanwhile must not wait for them.
    run: async (signal) => {
      await watchNodes({ signal });
      await countLeft({ signal });
      if (!(await isLayoutChanging())) return;
      await runRebalance({ ...leased, signal, everyMs: layoutIntervalMs * DUE_EARLIER }, async (call) => {
        const { moveCopiesQueued } = await rebalanceNow(call);
        // A lost node's copies need not wait for the next round as well.
        if (moveCopiesQueued > 0) repairing.wake();
      });
      await isLayoutChanging();
      await countLeft({ signal });
    },
  });
  return [
    collecting,
    repairing,
    followingLayout,
    startSchedule({
      ...common,
      name: "check",
      intervalMs: CHECK_INTERVAL_MS,
      run: (signal) => record.check(() => examineDatabase(options, signal)),
    }),
  ];
}

async function tellDatabaseStep(options: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  try {
    await takeDatabaseStep({ ...options, signal });
  } catch (error) {
    if (signal.aborted) return;
    const { message } = AshlarError.from(error);
    options.logger.warn({ error: message }, "not every store was told the latest step of the metadata database");
  }
}

/** One pass of rebalance, if it is due in the cluster. It rests ten times as long as the pass took. */
async function runRebalance(
  options: Omit<LeasedJobOptions, "job" | "run" | "restMs">,
  rebalanceNow: (call: CallOptions) => Promise<unknown>,
): Promise<void> {
  let passMs = 0;
  await runLeasedJob({
    ...options,
    job: "rebalance",
    async run(signal) {
      const startedAtMs = options.clock.monotonicMs();
      await rebalanceNow({ signal });
      passMs = options.clock.monotonicMs() - startedAtMs;
    },
    restMs: () => passMs * PAUSE_SHARE,
  });
}

/** Looks through the database and its rows. @returns how many damages there are; the first ones are logged. */
async function examineDatabase(
  { metadata, logger }: MaintenanceOptions,
  signal: AbortSignal,
): Promise<{ readonly problems: number }> {
  const problems = await metadata.checkIntegrity({ signal });
  for (const problem of problems) logger.error({ problem }, "the metadata database is damaged");
  let rowProblems = 0;
  await examineStore({
    ...{ metadata, signal },
    onProblem: ({ what, bucket, key }) => {
      if (rowProblems++ < LOGGED_MAX) logger.error({ problem: what, bucket, key }, "rows of the metadata are damaged");
    },
  });
  return { problems: problems.length + rowProblems };
}
