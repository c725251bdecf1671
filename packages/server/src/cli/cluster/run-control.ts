import { AshlarError } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import {
  askSupervisor,
  type ClusterFolder,
  clusterFolder,
  holdsCluster,
  stopCluster,
} from "../../local-cluster/index.ts";
import { visibleText } from "../../observability/control-characters.ts";
import { formatDuration, formatShare, formatTable } from "../../observability/format.ts";
import { type CommandCall, textArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { askRedundancy, redundancyJson, redundancyLines } from "../health/redundancy.ts";
import { pathFlag } from "../shown-command.ts";
import { advised } from "./cluster-advice.ts";
import type { DOWN_SETTINGS, KILL_SETTINGS, PLAIN_SETTINGS } from "./cluster-settings.ts";
import { statusTable } from "./status-display.ts";

type PlainCall = CommandCall<(typeof PLAIN_SETTINGS)[number]>;

/** `cluster status`: the exit code tells a script whether everything is ready. */
export async function runStatus({ settings, signal, output }: PlainCall): Promise<number> {
  const folder = clusterFolder(settings.clusterPath);
  const status = await askSupervisor(folder, { command: "status" }, signal);
  const end = status.ready ? "everything is ready" : "not everything is ready";
  const redundancy = await askRedundancy(status.url, signal);
  const lines = [`gateway ${status.url}; ${end}`, ...redundancyLines(redundancy, systemClock.nowMs())];
  await output.result(
    { ...status, ...redundancyJson(redundancy) },
    `${statusTable(status.processes)}\n\n${lines.join("\n")}`,
  );
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
  const answer = await askSupervisor(folder, { command: "kill", name, keepDown, downMs }, signal);
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
  const answer = await askSupervisor(folder, { command: "start", name }, call.signal);
  await call.output.result(answer, `started ${name} (pid ${answer.pid}), which is ready`);
  return 0;
}

/** `cluster add`. */
export async function runAdd(call: PlainCall): Promise<number> {
  const { settings, signal, output } = call;
  const folder = clusterFolder(settings.clusterPath);
  const added = await advised(call, () => askSupervisor(folder, { command: "add" }, signal));
  const { name, address, layoutVersion } = added;
  const rows = added.shares.map(({ nodeId, totalShare }) => [nodeId, formatShare(totalShare)]);
  const text = [
    `${name} listens on ${address} and is part of layout ${layoutVersion}: new chunks are spread by these shares`,
    formatTable([["node", "share"], ...rows]),
  ];
  await output.result(added, text.join("\n"));
  return 0;
}

/** `cluster down`: also stops processes that a killed supervisor left running. */
export async function runDown(call: CommandCall<(typeof DOWN_SETTINGS)[number]>): Promise<number> {
  const { settings, signal, output, program } = call;
  const { deleteData } = settings;
  const folder = clusterFolder(settings.clusterPath);
  if (!holdsCluster(folder)) throw new AshlarError("INVALID_ARGUMENT", `there is no cluster in ${folder.path}`);
  if (deleteData && !settings.yes) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `this would delete every object, key and log in ${folder.path}; if you want that: ${program} cluster down${pathFlag(folder.path)} --delete --yes`,
    );
  }
  const { wasRunning, stayed } = await advised(call, () => stopCluster(folder, { deleteData, signal }));
  await output.result(
    { path: folder.path, wasRunning, deleted: deleteData, stayed },
    `${wasRunning ? "stopped" : "nothing was running"}; ${dataText(folder, stayed)}`,
  );
  return 0;
}

function dataText({ path }: ClusterFolder, stayed: readonly string[] | undefined): string {
  if (stayed === undefined) return `its data stays in ${path}`;
  if (stayed.length === 0) return `deleted ${path}`;
  return `deleted the cluster in ${path}; files that are not the cluster's stay there: ${stayed.map(visibleText).join(", ")}`;
}
