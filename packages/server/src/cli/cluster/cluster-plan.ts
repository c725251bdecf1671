import { AshlarError } from "@ashlar/sdk/errors";
import type { ClusterFolder } from "./cluster-folder.ts";
import { readJsonFile, writePrivateFile } from "./private-file.ts";

/** The database of a local cluster: one of its own, or one that is told anew at each start, because of its password. */
export type PlannedDatabase =
  | { readonly kind: "embedded"; readonly port: number; readonly password: string }
  | { readonly kind: "external" };

/** A storage node of a local cluster. */
export interface PlannedNode {
  /** Also its server id and the name of its folder: `node-1`. */
  readonly name: string;
  readonly port: number;
}

/** What a cluster keeps from one start to the next. */
export interface ClusterPlan {
  readonly database: PlannedDatabase;
  readonly gatewayPort: number;
  readonly nodes: readonly PlannedNode[];
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
