import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { systemClock } from "@ashlar/sdk/ports";
import { visibleText } from "../../observability/control-characters.ts";
import { type CommandCall, textArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { formatDuration, formatShare, formatTable } from "../format.ts";
import { removeCluster } from "./cluster-contents.ts";
import { type ClusterFolder, clusterFolder, holdsCluster } from "./cluster-folder.ts";
import { lockCluster } from "./cluster-lock.ts";
import { readPlan } from "./cluster-plan.ts";
import type { DOWN_SETTINGS, KILL_SETTINGS, PLAIN_SETTINGS } from "./cluster-settings.ts";
import { type ClusterStatus, statusTable } from "./cluster-status.ts";
import { askSupervisor } from "./control-channel.ts";
import type { AddAnswer, DownAnswer, ProcessAnswer } from "./control-handler.ts";
import { pathFlag } from "./path-flag.ts";
import { identityOf } from "./process-identity.ts";
import { stopSurvivors } from "./process-record.ts";

type PlainCall = CommandCall<(typeof PLAIN_SETTINGS)[number]>;

/** `cluster status`: a script learns from the exit code whether it may begin. */
export async function runStatus({ settings, signal, output }: PlainCall): Promise<number> {
  const folder = clusterFolder(settings.clusterPath);
  const status = await askSupervisor<ClusterStatus>(folder, { command: "status" }, signal);
  const end = status.ready ? "everything is ready" : "not everything is ready";
  await output.result(status, `${statusTable(status.processes)}\n\ngateway ${status.url}; ${end}`);
  return status.ready ? EXIT_CODES.OK.value : EXIT_CODES.UNAVAILABLE.value;
}

/** `cluster kill <name>`. */
export async function runKill(call: CommandCall<(typeof KILL_SETTINGS)[number]>): Promise<number> {
  const { settings, signal, output, program } = call;
  const { keepDown, downForMs: downMs } = settings;
  if (keepDown && downMs !== undefined)
    throw new AshlarError("INVALID_ARGUMENT", "give --keep-down or --for, not both");
  const folder = clusterFolder(settings.clusterPath);
  const name = textArgument(call, 0);
  const answer = await askSupervisor<ProcessAnswer>(folder, { command: "kill", name, keepDown, downMs }, signal);
  const start = `${program} cluster start ${name}${pathFlag(folder.path)}`;
  const then = keepDown
    ? `it stays down until: ${start}`
    : downMs === undefined
      ? "the supervisor starts it again"
      : `it stays down for ${formatDuration(downMs)}`;
  const killed = answer.pid === undefined ? `${name} had ended by itself` : `killed ${name} (pid ${answer.pid})`;
  await output.result({ ...answer, keepDown, downMs }, `${killed}; ${then}`);
  return 0;
}

/** `cluster start <name>`. */
export async function runStart(call: PlainCall): Promise<number> {
  const folder = clusterFolder(call.settings.clusterPath);
  const name = textArgument(call, 0);
  const answer = await askSupervisor<ProcessAnswer>(folder, { command: "start", name }, call.signal);
  await call.output.result(answer, `started ${name} (pid ${answer.pid}), which is ready`);
  return 0;
}

/** `cluster add`. */
export async function runAdd({ settings, signal, output }: PlainCall): Promise<number> {
  const folder = clusterFolder(settings.clusterPath);
  const added = await askSupervisor<AddAnswer>(folder, { command: "add" }, signal);
  const { name, address, layoutVersion } = added;
  const rows = added.shares.map(({ serverId, totalShare }) => [serverId, formatShare(totalShare)]);
  const text = [
    `${name} listens on ${address} and is part of layout ${layoutVersion}: new chunks go by these shares`,
    formatTable([["server", "share"], ...rows]),
  ];
  await output.result(added, text.join("\n"));
  return 0;
}

const POLL_MS = 50;
const GONE_LIMIT_MS = 10_000;

/** `cluster down`: also stops what a supervisor that was killed left running. */
export async function runDown(call: CommandCall<(typeof DOWN_SETTINGS)[number]>): Promise<number> {
  const { settings, signal, output, program } = call;
  const folder = clusterFolder(settings.clusterPath);
  if (!holdsCluster(folder)) throw new AshlarError("INVALID_ARGUMENT", `there is no cluster in ${folder.path}`);
  if (settings.deleteData && !settings.yes) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `this would delete every object, key and log in ${folder.path}; if that is meant: ${program} cluster down${pathFlag(folder.path)} --delete --yes`,
    );
  }
  // What is not known to be a cluster's is not deleted.
  if (settings.deleteData) readPlan(folder);
  const wasRunning = await stopSupervisor(folder, signal);
  // Fails if the supervisor is there and does not answer.
  using lock = lockCluster(folder, program);
  const survivors = await stopSurvivors(folder, { graceMs: LIMITS.SHUTDOWN_GRACE_MS });
  const stopped = wasRunning || survivors.length > 0;
  const stayed = settings.deleteData ? await removeCluster(folder, lock) : undefined;
  await output.result(
    { path: folder.path, wasRunning: stopped, deleted: settings.deleteData, stayed },
    `${stopped ? "stopped" : "nothing was running"}; ${dataText(folder, stayed)}`,
  );
  return 0;
}

function dataText({ path }: ClusterFolder, stayed: readonly string[] | undefined): string {
  if (stayed === undefined) return `its data stays in ${path}`;
  if (stayed.length === 0) return `deleted ${path}`;
  return `deleted the cluster in ${path}; what is not the cluster's stays there: ${stayed.map(visibleText).join(", ")}`;
}

/** Asks it to stop everything, and waits until it is gone. @returns whether there was one. */
async function stopSupervisor(folder: ClusterFolder, signal: AbortSignal): Promise<boolean> {
  const answer = await askSupervisor<DownAnswer>(folder, { command: "down" }, signal).catch((error: unknown) => {
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
