import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { systemRandom } from "@ashlar/sdk/ports";
import { readJsonFile, writePrivateFile } from "../files/private-file.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { clusterError } from "./cluster-problem.ts";
import { assertPortsFree, firstFreePort, pickPort, type WantedPort } from "./ports.ts";

/** The database of a local cluster: its own, or an external one. Its URL is then given at each start and not kept, because it may have a password. */
export type PlannedDatabase =
  | { readonly kind: "embedded"; readonly port: number; readonly password: string }
  | { readonly kind: "external" };

/** A storage node of a local cluster. */
export interface PlannedNode {
  /** Also its node id and the name of its folder: `node-1`. */
  readonly name: string;
  readonly port: number;
}

/** What a cluster keeps from one start to the next. */
export interface ClusterPlan {
  readonly database: PlannedDatabase;
  readonly gatewayPort: number;
  readonly nodes: readonly PlannedNode[];
}

/** Settings of a plan; those that are `undefined` stay as the last start had them. */
export interface PlanSettings {
  /** How many storage nodes. Default at the first start: 6. */
  readonly nodes?: number | undefined;
  /** 0: any free one. Default at the first start: 9000, or the next one that is free. */
  readonly gatewayPort?: number | undefined;
  /** Port of the first node, the others follow; 0: any free ones. Default at the first start: as 0. */
  readonly nodePort?: number | undefined;
  /** Port of the cluster's own PostgreSQL; 0: any free one. Default at the first start: as 0. */
  readonly postgresPort?: number | undefined;
  /** An external database, given at each start. Default: the cluster has its own. */
  readonly databaseUrl?: string | undefined;
}

const NODES_FIRST = 6;
const NODES_MAX = 64;
const GATEWAY_PORT_FIRST = 9000;
const GATEWAY_PORT_TRIES = 20;
const PASSWORD_BYTES = 24;

/**
 * Makes the plan of this start: the last plan, changed by the settings.
 *
 * Ports that were asked for or are remembered must be free; all others are picked.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a taken port, fewer nodes than there are, or another kind of database than the data has.
 */
export async function makePlan(last: ClusterPlan | undefined, settings: PlanSettings): Promise<ClusterPlan> {
  const count = settings.nodes ?? last?.nodes.length ?? NODES_FIRST;
  assertNodeCount(count, last);
  const taken = new Set([last?.gatewayPort, ...(last?.nodes.map(({ port }) => port) ?? [])].filter(isNumber));
  const pick = async (): Promise<number> => {
    const port = await pickPort(taken);
    taken.add(port);
    return port;
  };
  const gatewayPort = settings.gatewayPort ?? last?.gatewayPort ?? (await gatewayPortFor(taken, pick));
  const database = await planDatabase(last?.database, settings, pick);
  const named: PlannedNode[] = [...(last?.nodes ?? [])];
  while (named.length < count) named.push({ name: nextNodeName(named), port: 0 });
  const nodes: PlannedNode[] = [];
  for (const node of named) {
    const port = portOf(node, nodes.length, settings);
    nodes.push({ name: node.name, port: port === 0 ? await pick() : port });
  }
  const plan = { database, gatewayPort: gatewayPort === 0 ? await pick() : gatewayPort, nodes };
  await assertPortsFree(portsOf(plan));
  return plan;
}

/** Plans one more node. */
export async function planNode(plan: ClusterPlan): Promise<PlannedNode> {
  assertNodeCount(plan.nodes.length + 1, plan);
  const taken = new Set(portsOf(plan).map(({ port }) => port));
  return { name: nextNodeName(plan.nodes), port: await pickPort(taken) };
}

const isNumber = (port: number | undefined): port is number => port !== undefined;

function assertNodeCount(count: number, last: ClusterPlan | undefined): void {
  const before = last?.nodes.length ?? 0;
  if (count < before) {
    throw clusterError("FEWER_NODES", `this cluster has ${before} nodes, and any of them may hold chunks`);
  }
  if (count > NODES_MAX) {
    const message = `a cluster on one machine has at most ${NODES_MAX} nodes: each is a process of it`;
    throw new AshlarError("INVALID_ARGUMENT", message);
  }
}

/** Prefers 9000, which is easy to remember. */
async function gatewayPortFor(taken: Set<number>, pick: () => Promise<number>): Promise<number> {
  const port = (await firstFreePort(GATEWAY_PORT_FIRST, GATEWAY_PORT_TRIES)) ?? (await pick());
  taken.add(port);
  return port;
}

/** The port of one node. The setting is that of the first node, the others follow; 0: any. */
function portOf(node: PlannedNode, index: number, { nodePort }: PlanSettings): number {
  if (nodePort === undefined) return node.port;
  return nodePort === 0 ? 0 : nodePort + index;
}

async function planDatabase(
  last: PlannedDatabase | undefined,
  { databaseUrl, postgresPort }: PlanSettings,
  pick: () => Promise<number>,
): Promise<PlannedDatabase> {
  if (databaseUrl !== undefined) {
    if (last?.kind === "embedded") {
      throw clusterError("OWN_DATABASE", "this cluster has a PostgreSQL of its own, which knows its objects");
    }
    return { kind: "external" };
  }
  if (last?.kind === "external") {
    throw clusterError(
      "OTHER_DATABASE",
      "this cluster was first started with an external database, which knows its objects",
    );
  }
  const wanted = postgresPort ?? last?.port ?? 0;
  const port = wanted === 0 ? await pick() : wanted;
  return { kind: "embedded", port, password: last?.password ?? encodeHex(systemRandom.bytes(PASSWORD_BYTES)) };
}

function portsOf({ database, gatewayPort, nodes }: ClusterPlan): readonly WantedPort[] {
  const postgres: readonly WantedPort[] =
    database.kind === "embedded" ? [{ owner: "postgres", port: database.port, option: "postgresPort" }] : [];
  const gateway: WantedPort = { owner: "gateway", port: gatewayPort, option: "gatewayPort" };
  return [
    ...postgres,
    gateway,
    ...nodes.map(({ name, port }): WantedPort => ({ owner: name, port, option: "nodePort" })),
  ];
}

const FORMAT_VERSION = 1;

/** @returns `undefined` if no cluster was started here. @throws {AshlarError} STORE_INCOMPATIBLE if it is of a newer release or damaged. */
export function readPlan(folder: ClusterFolder): ClusterPlan | undefined {
  const value = readJsonFile(folder.plan);
  if (value === undefined) return undefined;
  if (value.formatVersion !== FORMAT_VERSION) {
    throw new AshlarError(
      "STORE_INCOMPATIBLE",
      `${folder.plan} has format ${String(value.formatVersion)}, this release knows ${FORMAT_VERSION}`,
    );
  }
  const { database, gatewayPort, nodes } = value as Partial<ClusterPlan>;
  if (database === undefined || gatewayPort === undefined || nodes === undefined) {
    throw new AshlarError("STORE_INCOMPATIBLE", `${folder.plan} is damaged: something is missing in it`);
  }
  return { database, gatewayPort, nodes };
}

/** Writes the plan for the next start. */
export function writePlan(folder: ClusterFolder, plan: ClusterPlan): void {
  writePrivateFile(folder.plan, `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...plan }, undefined, 2)}\n`);
}

/** The name of the next node: numbers are never used twice, because a node's data keeps its name. */
export function nextNodeName(nodes: readonly PlannedNode[]): string {
  const numbers = nodes.map(({ name }) => Number(name.match(/^node-(\d+)$/)?.[1] ?? 0));
  return `node-${Math.max(0, ...numbers) + 1}`;
}
