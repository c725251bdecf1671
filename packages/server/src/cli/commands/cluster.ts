import {
  DOWN_SETTINGS,
  KILL_SETTINGS,
  PLAIN_SETTINGS,
  REFUSED_SETTINGS,
  UP_SETTINGS,
} from "../cluster/cluster-settings.ts";
import { defineCommand } from "../command.ts";

const PROCESS = { name: "<name>", help: "gateway, postgres, or a node such as node-3" };

/** The code that runs a cluster is loaded only when it is needed: client commands should start fast. */
export const clusterUpCommand = defineCommand({
  name: "cluster up",
  summary: "start a cluster on this machine and keep it running, with its status; Ctrl-C stops it, its data stays",
  isDefault: true,
  arguments: [],
  settings: UP_SETTINGS,
  refuses: REFUSED_SETTINGS,
  examples: ["cluster up --nodes 6", "cluster up --detach --path /var/lib/ashlar"],
  run: async (call) => (await import("../cluster/run-up.ts")).runUp(call),
});

export const clusterStatusCommand = defineCommand({
  name: "cluster status",
  summary:
    "show every process of the cluster: state, address, chunks, disk, restarts; exit code 5 if not everything is ready",
  arguments: [],
  settings: PLAIN_SETTINGS,
  examples: ["cluster status"],
  run: async (call) => (await import("../cluster/run-control.ts")).runStatus(call),
});

export const clusterKillCommand = defineCommand({
  name: "cluster kill",
  summary: "kill one process, as a crash would; the supervisor starts it again",
  arguments: [PROCESS],
  settings: KILL_SETTINGS,
  examples: ["cluster kill node-3", "cluster kill node-3 --for 30s", "cluster kill postgres"],
  run: async (call) => (await import("../cluster/run-control.ts")).runKill(call),
});

export const clusterStartCommand = defineCommand({
  name: "cluster start",
  summary: "start a process now that is kept down or waits for its next start",
  arguments: [PROCESS],
  settings: PLAIN_SETTINGS,
  examples: ["cluster start node-3"],
  run: async (call) => (await import("../cluster/run-control.ts")).runStart(call),
});

export const clusterAddCommand = defineCommand({
  name: "cluster add",
  summary: "add one storage node, which joins the layout",
  arguments: [],
  settings: PLAIN_SETTINGS,
  examples: ["cluster add"],
  run: async (call) => (await import("../cluster/run-control.ts")).runAdd(call),
});

export const clusterDownCommand = defineCommand({
  name: "cluster down",
  summary: "stop the cluster in order: gateway, nodes, PostgreSQL",
  arguments: [],
  settings: DOWN_SETTINGS,
  examples: ["cluster down", "cluster down --delete --yes"],
  run: async (call) => (await import("../cluster/run-control.ts")).runDown(call),
});
