import process from "node:process";
import type { LocalPostgres } from "@ashlar/adapters/local-postgres";
import { type Clock, silentLogger, systemClock } from "@ashlar/sdk/ports";
import { keepClusterKey } from "../servers/cluster-key.ts";
import { announcement } from "./announcement.ts";
import { assertTakesCluster, undoFirstUp } from "./cluster-contents.ts";
import { type ClusterFolder, clusterFolder, makeClusterFolder } from "./cluster-folder.ts";
import { lockCluster } from "./cluster-lock.ts";
import { type ClusterPlan, readPlan, writePlan } from "./cluster-plan.ts";
import { serverFlags, type UpCall } from "./cluster-settings.ts";
import { statusOf } from "./cluster-status.ts";
import { serveControl } from "./control-channel.ts";
import { createControlHandler } from "./control-handler.ts";
import { openEmbeddedPostgres } from "./embedded-postgres.ts";
import { makePlan } from "./make-plan.ts";
import { removeProcesses, stopSurvivors } from "./process-record.ts";
import { runDetached } from "./run-detached.ts";
import { createStatusDisplay, type StatusDisplay } from "./status-display.ts";
import { Supervisor } from "./supervisor.ts";

/** `cluster up`: runs the cluster until the signal or `cluster down`. */
export async function runUp(call: UpCall): Promise<number> {
  const folder = clusterFolder(call.settings.clusterPath);
  if (call.settings.detach) return await runDetached(call, folder);
  call.setTitle(`cluster ${folder.path}`);
  assertTakesCluster(folder);
  const before = await makeClusterFolder(folder);
  using lock = lockCluster(folder, call.program);
  const prepared = await prepare(folder, call).catch(async (error: unknown) => {
    await undoFirstUp(folder, lock, before);
    throw error;
  });
  await supervise(call, { folder, ...prepared, clock: systemClock });
  return 0;
}

interface Prepared {
  readonly plan: ClusterPlan;
  readonly postgres: LocalPostgres | undefined;
}

/** Everything that can be refused before anything is started. */
async function prepare(folder: ClusterFolder, { settings, output }: UpCall): Promise<Prepared> {
  const survivors = await stopSurvivors(folder, { graceMs: settings.shutdownGraceMs });
  if (survivors.length > 0) output.note(`stopped what an earlier run had left: ${survivors.join(", ")}`);
  const plan = await makePlan(readPlan(folder), settings);
  const { database } = plan;
  const postgres = database.kind === "external" ? undefined : await openEmbeddedPostgres({ folder, ...database });
  writePlan(folder, plan);
  await keepClusterKey(folder.path, silentLogger);
  return { plan, postgres };
}

async function supervise(
  call: UpCall,
  { folder, plan, postgres, clock }: Prepared & { readonly folder: ClusterFolder; readonly clock: Clock },
): Promise<void> {
  const { settings, output, io, signal } = call;
  const down = new AbortController();
  let markStopped = (): void => {};
  const stopped = new Promise<void>((resolve) => {
    markStopped = resolve;
  });
  let display: StatusDisplay | undefined;
  const supervisor = new Supervisor({
    ...{ folder, plan, postgres, clock },
    databaseUrl: settings.databaseUrl ?? postgres?.url ?? "",
    replicationFactor: settings.replicationFactor,
    flags: serverFlags(settings),
    graceMs: settings.shutdownGraceMs,
    onChange: () => display?.update(),
  });
  // A second Ctrl-C ends this process at once; nothing may be left running.
  const end = (): void => supervisor.end();
  process.once("exit", end);
  const handler = createControlHandler({ folder, supervisor, down: () => down.abort(), stopped });
  const control = await serveControl(folder, handler);
  display = createStatusDisplay(io, output, () => supervisor.views());
  try {
    await runUntil(AbortSignal.any([signal, down.signal]), async (ended) => {
      await supervisor.start(ended);
      const status = statusOf(folder, supervisor, process.pid);
      await display?.print({ event: "ready", ...status }, announcement(folder, status, call.program));
    });
  } finally {
    await supervisor.stop();
    display.end();
    removeProcesses(folder);
    process.off("exit", end);
    markStopped();
    await control.close();
  }
}

/** Starts, and then waits for the end, which is no error, whenever it comes. */
async function runUntil(ended: AbortSignal, start: (ended: AbortSignal) => Promise<void>): Promise<void> {
  try {
    await start(ended);
  } catch (error) {
    if (!ended.aborted) throw error;
  }
  if (ended.aborted) return;
  await new Promise<void>((resolve) => ended.addEventListener("abort", () => resolve(), { once: true }));
}
