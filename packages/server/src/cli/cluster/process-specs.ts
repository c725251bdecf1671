import { extname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { adviceForPostgres, type LocalPostgres } from "@ashlar/adapters/local-postgres";
import { SETTINGS, type Setting } from "../config.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import type { PlannedNode } from "./cluster-plan.ts";
import { lookAtGateway, lookAtNode, lookAtPostgres } from "./look-at.ts";
import { LOOPBACK } from "./ports.ts";
import type { Launch, ProcessSpec } from "./supervised-process.ts";

/** What the servers of a cluster share. */
export interface ServersContext {
  readonly folder: ClusterFolder;
  readonly databaseUrl: string;
  /** Further flags of both kinds of servers, and of each. */
  readonly flags: {
    readonly all: readonly string[];
    readonly node: readonly string[];
    readonly gateway: readonly string[];
  };
}

/** A storage node as a process. */
export function nodeSpec({ name, port }: PlannedNode, context: ServersContext): ProcessSpec {
  const { folder, flags } = context;
  const own = ["--server-id", name, "--data-dir", folder.data(name), "--port", String(port)];
  const address = `http://${LOOPBACK}:${port}`;
  return serverSpec({ name, kind: "node", address }, context, {
    args: ["node", ...own, ...flags.node],
    look: (signal) => lookAtNode(address, signal),
  });
}

/** The gateway as a process. */
export function gatewaySpec(port: number, context: ServersContext): ProcessSpec {
  const address = `http://${LOOPBACK}:${port}`;
  return serverSpec({ name: "gateway", kind: "gateway", address }, context, {
    args: ["gateway", "--port", String(port), ...context.flags.gateway],
    look: (signal) => lookAtGateway(address, signal),
  });
}

/** The database as a process. SIGINT is its fast shutdown, which ends sessions in order; SIGQUIT leaves the repair to the next start. */
export function postgresSpec(postgres: LocalPostgres, folder: ClusterFolder, port: number): ProcessSpec {
  return {
    ...{ name: "postgres", kind: "postgres", address: `${LOOPBACK}:${port}`, log: folder.log("postgres") },
    ...{ stopSignal: "SIGINT", endSignal: "SIGQUIT" },
    launch: () => postgres.launch(),
    look: () => lookAtPostgres(postgres.url),
    advice: adviceForPostgres,
  };
}

function serverSpec(
  names: Pick<ProcessSpec, "name" | "kind" | "address">,
  { folder, databaseUrl, flags }: ServersContext,
  own: { readonly args: readonly string[]; readonly look: ProcessSpec["look"] },
): ProcessSpec {
  const args = [...own.args, "--host", LOOPBACK, "--cluster-key-file", folder.clusterKey, "--json", ...flags.all];
  return {
    ...names,
    ...{ log: folder.log(names.name), stopSignal: "SIGTERM", endSignal: "SIGKILL" },
    launch: () => launchCli(args, { DATABASE_URL: databaseUrl }),
    look: own.look,
  };
}

/**
 * This same program with other arguments: from the sources or from what was built of them, like the one that runs.
 *
 * Variables that mean something to the program are left out: the children are told everything.
 */
export function launchCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Launch {
  const ours = new Set(Object.values(SETTINGS).map((setting: Setting) => setting.env));
  const inherited = Object.entries(process.env).filter(([name]) => !ours.has(name));
  const index = import.meta.resolve("@ashlar/server/cli");
  const main = fileURLToPath(new URL(`./main${extname(index)}`, index));
  // A debugger belongs to one process.
  const nodeArgs = process.execArgv.filter((argument) => !argument.startsWith("--inspect"));
  return {
    file: process.execPath,
    args: [...nodeArgs, main, ...args],
    env: { ...Object.fromEntries(inherited), ...env },
  };
}
