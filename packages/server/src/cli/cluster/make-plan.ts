import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { systemRandom } from "@ashlar/sdk/ports";
import { type ClusterPlan, nextNodeName, type PlannedDatabase, type PlannedNode } from "./cluster-plan.ts";
import type { UpSettings } from "./cluster-settings.ts";
import { assertPortsFree, firstFreePort, pickPort, type WantedPort } from "./ports.ts";

const NODES_FIRST = 6;
const NODES_MAX = 64;
const GATEWAY_PORT_FIRST = 9000;
const GATEWAY_PORT_TRIES = 20;
const PASSWORD_BYTES = 24;

/** What of the settings of `cluster up` makes the plan. */
export type PlanSettings = Pick<UpSettings, "nodes" | "gatewayPort" | "nodePort" | "postgresPort" | "databaseUrl">;

/**
 * The plan of this start: what the last one kept, changed by what is asked for now.
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

/** One node more. */
export async function planNode(plan: ClusterPlan): Promise<PlannedNode> {
  assertNodeCount(plan.nodes.length + 1, plan);
  const taken = new Set(portsOf(plan).map(({ port }) => port));
  return { name: nextNodeName(plan.nodes), port: await pickPort(taken) };
}

const isNumber = (port: number | undefined): port is number => port !== undefined;

function assertNodeCount(count: number, last: ClusterPlan | undefined): void {
  const before = last?.nodes.length ?? 0;
  if (count < before) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `this cluster has ${before} nodes, and any of them may hold chunks: start it without --nodes, and take nodes out with ashlar layout --remove <id>`,
    );
  }
  if (count > NODES_MAX) {
    throw new AshlarError("INVALID_ARGUMENT", `--nodes is at most ${NODES_MAX}: each is a process of this machine`);
  }
}

/** 9000 is easy to remember, where it is free. */
async function gatewayPortFor(taken: Set<number>, pick: () => Promise<number>): Promise<number> {
  const port = (await firstFreePort(GATEWAY_PORT_FIRST, GATEWAY_PORT_TRIES)) ?? (await pick());
  taken.add(port);
  return port;
}

/** Of one node: the flag names the first one's, the others follow; 0 takes any. */
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
      throw new AshlarError(
        "INVALID_ARGUMENT",
        "this cluster has a PostgreSQL of its own, which knows its objects: unset DATABASE_URL, or take another --path",
      );
    }
    return { kind: "external" };
  }
  if (last?.kind === "external") {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "this cluster was started with a DATABASE_URL, and that database knows its objects: set it again, or take another --path",
    );
  }
  const wanted = postgresPort ?? last?.port ?? 0;
  const port = wanted === 0 ? await pick() : wanted;
  return { kind: "embedded", port, password: last?.password ?? encodeHex(systemRandom.bytes(PASSWORD_BYTES)) };
}

function portsOf({ database, gatewayPort, nodes }: ClusterPlan): readonly WantedPort[] {
  return [
    ...(database.kind === "embedded" ? [{ owner: "postgres", port: database.port, flag: "--postgres-port" }] : []),
    { owner: "gateway", port: gatewayPort, flag: "--gateway-port" },
    ...nodes.map(({ name, port }) => ({ owner: name, port, flag: "--node-port" })),
  ];
}
