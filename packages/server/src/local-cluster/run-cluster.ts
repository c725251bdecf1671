import process from "node:process";
import type { LocalPostgres } from "@ashlar/adapters/local-postgres";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Clock, systemClock } from "@ashlar/sdk/ports";
import { assertTakesCluster, removeCluster, undoFirstUp } from "./cluster-contents.ts";
import { type ClusterFolder, makeClusterFolder } from "./cluster-folder.ts";
import { type ClusterPlan, makePlan, type PlanSettings, readPlan, writePlan } from "./cluster-plan.ts";
import { askSupervisor, type ClusterStatus, createControlHandler, serveControl, statusOf } from "./control-channel.ts";
import { openEmbeddedPostgres } from "./postgres-process.ts";
import { identityOf, lockCluster, removeProcesses, stopSurvivors } from "./process-record.ts";
import type { ProcessView } from "./process-spec.ts";
import { type OpenDatabase, type ServerPrograms, Supervisor } from "./supervisor.ts";

/** Shows the state of a cluster while it runs. */
export interface ClusterWatcher {
  /** Something may have changed. */
  update(): void;
  /** Everything is ready for the first time. */
  ready(status: ClusterStatus): Promise<void>;
  /** Everything was stopped. */
  end(): void;
}

/** What {@link runCluster} takes. */
export interface RunClusterOptions {
  readonly folder: ClusterFolder;
  readonly settings: PlanSettings;
  /** Copies of each chunk that the first layout asks for. */
  readonly replicationFactor: number;
  /** Servers may take this long to stop. */
  readonly graceMs: number;
  readonly programs: ServerPrograms;
  readonly openDatabase: OpenDatabase;
  /** Makes the secret that the servers share, in `folder.clusterKey`, unless it is there. */
  readonly makeClusterKey: (folder: ClusterFolder) => Promise<unknown>;
  /** Names of processes that an earlier supervisor had left, and that were stopped now. */
  readonly onLeftovers: (names: readonly string[]) => void;
  /** Called once, after all checks that can refuse the start. */
  readonly watch: (views: () => readonly ProcessView[]) => ClusterWatcher;
  /** Stops the cluster in order; so does a request for `down`. */
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
}

/**
 * Runs a whole cluster as processes of this machine, until the signal or a request for `down`.
 *
 * @throws {AshlarError} INVALID_ARGUMENT and PRECONDITION_FAILED for what prevents the start, see `clusterProblemOf`; what a first start had made
 *   until then is removed.
 */
export async function runCluster(options: RunClusterOptions): Promise<void> {
  const { folder } = options;
  assertTakesCluster(folder);
  const before = await makeClusterFolder(folder);
  using lock = lockCluster(folder);
  const prepared = await prepare(options).catch(async (error: unknown) => {
    await undoFirstUp(folder, lock, before);
    throw error;
  });
  await supervise(options, prepared);
}

interface Prepared {
  readonly plan: ClusterPlan;
  readonly postgres: LocalPostgres | undefined;
}

/** Makes all checks that can refuse the start, before anything is started. */
async function prepare(options: RunClusterOptions): Promise<Prepared> {
  const { folder, settings, graceMs } = options;
  const survivors = await stopSurvivors(folder, { graceMs });
  if (survivors.length > 0) options.onLeftovers(survivors);
  const plan = await makePlan(readPlan(folder), settings);
  const { database } = plan;
  const postgres = database.kind === "external" ? undefined : await openEmbeddedPostgres({ folder, ...database });
  writePlan(folder, plan);
  await options.makeClusterKey(folder);
  return { plan, postgres };
}

async function supervise(options: RunClusterOptions, { plan, postgres }: Prepared): Promise<void> {
  const { folder, settings, programs, openDatabase, replicationFactor, graceMs, clock = systemClock } = options;
  const down = new AbortController();
  let markStopped = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    markStopped = resolve;
  });
  let watcher: ClusterWatcher | undefined;
  const supervisor = new Supervisor({
    ...{ folder, plan, postgres, clock, programs, openDatabase, replicationFactor, graceMs },
    databaseUrl: settings.databaseUrl ?? postgres?.url ?? "",
    onChange: () => watcher?.update(),
  });
  // A second Ctrl-C ends this process at once; nothing may be left running.
  const end = (): void => supervisor.end();
  process.once("exit", end);
  const handler = createControlHandler({ folder, supervisor, down: () => down.abort(), stopped });
  const control = await serveControl(folder, handler);
  watcher = options.watch(() => supervisor.views());
  try {
    await runUntil(AbortSignal.any([options.signal, down.signal]), async (ended) => {
      await supervisor.start(ended);
      await watcher?.ready(statusOf(folder, supervisor, process.pid));
    });
  } finally {
    await supervisor.stop();
    watcher.end();
    removeProcesses(folder);
    process.off("exit", end);
    markStopped();
    await control.close();
  }
}

/** Calls `start`, and then waits until the signal aborts. The abort is no error, whenever it comes. */
async function runUntil(ended: AbortSignal, start: (ended: AbortSignal) => Promise<void>): Promise<void> {
  try {
    await start(ended);
  } catch (error) {
    if (!ended.aborted) throw error;
  }
  if (ended.aborted) return;
  await new Promise<void>((resolve) => ended.addEventListener("abort", () => resolve(), { once: true }));
}

/** What {@link stopCluster} found and left. */
export interface StoppedCluster {
  /** Whether anything ran: the supervisor, or what a killed one had left. */
  readonly wasRunning: boolean;
  /** After a deletion: what is not the cluster's and stays, as paths in the folder. */
  readonly stayed: readonly string[] | undefined;
}

const POLL_MS = 50;
const GONE_LIMIT_MS = 10_000;

/**
 * Stops the cluster of a folder, also what a killed supervisor left running.
 *
 * @param options.deleteData deletes what the cluster made, too.
 * @throws {AshlarError} PRECONDITION_FAILED if a supervisor is there and does not answer; STORE_INCOMPATIBLE, before anything is stopped, for a
 *   deletion where the folder is not known to be a cluster's.
 */
export async function stopCluster(
  folder: ClusterFolder,
  options: { readonly deleteData: boolean; readonly signal: AbortSignal },
): Promise<StoppedCluster> {
  const { deleteData, signal } = options;
  // What is not known to be a cluster's is not deleted.
  if (deleteData) readPlan(folder);
  const wasRunning = await stopSupervisor(folder, signal);
  // Fails if the supervisor is there and does not answer.
  using lock = lockCluster(folder);
  const survivors = await stopSurvivors(folder, { graceMs: LIMITS.SHUTDOWN_GRACE_MS });
  const stayed = deleteData ? await removeCluster(folder, lock) : undefined;
  return { wasRunning: wasRunning || survivors.length > 0, stayed };
}

/** Asks the supervisor to stop everything, and waits until it is gone. @returns whether there was one. */
async function stopSupervisor(folder: ClusterFolder, signal: AbortSignal): Promise<boolean> {
  const answer = await askSupervisor(folder, { command: "down" }, signal).catch((error: unknown) => {
    // Nobody listens, or the answer was lost with the process that ended.
    if (AshlarError.is(error, "NODE_UNAVAILABLE")) return undefined;
    throw error;
  });
  if (answer === undefined) return false;
  const lives = identityOf(answer.supervisorPid);
  const untilMs = systemClock.monotonicMs() + GONE_LIMIT_MS;
  while (lives !== undefined && identityOf(answer.supervisorPid) === lives) {
    if (systemClock.monotonicMs() > untilMs) break;
    await systemClock.sleep(POLL_MS, { signal });
  }
  return true;
}
