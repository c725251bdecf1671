import { extname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  type ClusterFolder,
  type Launch,
  LOOPBACK,
  type Look,
  type PlannedServer,
  type ServerPrograms,
} from "../../local-cluster/index.ts";
import { SETTINGS, type Setting } from "../config.ts";
import { askReadiness, readFigures } from "../health/ask-server.ts";
import { PASSED_SETTINGS, type UpSettings } from "./cluster-settings.ts";

const ANSWER_MS = 3000;

/** The servers of a cluster: this program as `node` and as `gateway`. */
export function serverPrograms(folder: ClusterFolder, settings: UpSettings): ServerPrograms {
  const flags = {
    all: flagsOf(settings, PASSED_SETTINGS.all),
    gateway: flagsOf(settings, PASSED_SETTINGS.gateway),
    node: flagsOf(settings, PASSED_SETTINGS.node),
  };
  const launch = ({ port, databaseUrl }: PlannedServer, command: readonly string[]): Launch => {
    const own = ["--port", String(port), "--host", LOOPBACK, "--cluster-key-file", folder.clusterKey, "--json"];
    return launchCli([...command, ...own, ...flags.all], { DATABASE_URL: databaseUrl });
  };
  return {
    node: (node) => {
      const command = ["node", "--server-id", node.name, "--data-dir", folder.data(node.name), ...flags.node];
      return { launch: () => launch(node, command), look: (signal) => lookAtNode(node.url, signal) };
    },
    gateway: (gateway) => ({
      launch: () => launch(gateway, ["gateway", ...flags.gateway]),
      look: (signal) => lookAtGateway(gateway.url, signal),
    }),
  };
}

/** Settings as flags of the servers. Their defaults too: `cluster up` has its own view of them. */
export function flagsOf(settings: UpSettings, names: readonly (keyof UpSettings)[]): readonly string[] {
  return names.flatMap((name) => {
    const value = settings[name];
    const flag = (SETTINGS[name] as Setting).flag?.match(/--[a-z-]+/)?.[0];
    if (flag === undefined || value === undefined || value === false) return [];
    if (value === true) return [flag];
    return Array.isArray(value) && value.length === 0 ? [] : [flag, String(value)];
  });
}

/**
 * This program with other arguments. Runs from the sources or from the bundle, as this process does.
 *
 * The environment variables that the program reads are left out: the children get all their settings from the arguments and from `env`.
 */
export function launchCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Launch {
  const ours = new Set(Object.values(SETTINGS).map((setting: Setting) => setting.env));
  const inherited = Object.entries(process.env).filter(([name]) => !ours.has(name));
  const index = import.meta.resolve("@ashlar/server/cli");
  const main = fileURLToPath(new URL(`./main${extname(index)}`, index));
  // A debugger belongs to one process.
  const nodejsArgs = process.execArgv.filter((argument) => !argument.startsWith("--inspect"));
  return {
    file: process.execPath,
    args: [...nodejsArgs, main, ...args],
    env: { ...Object.fromEntries(inherited), ...env },
  };
}

/** Looks at a gateway: ready when its database answers. */
async function lookAtGateway(url: string, signal: AbortSignal): Promise<Look> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if ("reason" in answer) return { ready: false, reason: answer.reason };
  return answer.ready ? { ready: true } : { ready: false, reason: reasonOf(answer.checks) };
}

/** Looks at a storage node: ready when it can read its disk and is registered. Its check of the disk also renews its figures. */
async function lookAtNode(url: string, signal: AbortSignal): Promise<Look> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if ("reason" in answer) return { ready: false, reason: answer.reason };
  const figure = await readFigures(url, signal);
  return {
    ready: answer.ready && answer.checks.registry === "registered",
    reason: reasonOf(answer.checks),
    chunks: figure("ashlar_node_chunks"),
    bytesUsed: figure("ashlar_node_used_bytes"),
    bytesFree: figure("ashlar_node_disk_free_bytes"),
  };
}

/** The dependencies that are not healthy; `undefined` if all are. */
function reasonOf(checks: Readonly<Record<string, string>>): string | undefined {
  const bad = Object.entries(checks).filter(([, state]) => state !== "ok" && state !== "registered");
  return bad.length === 0 ? undefined : bad.map(([name, state]) => `${name}: ${state}`).join(", ");
}
