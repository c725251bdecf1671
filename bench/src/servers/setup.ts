import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Durability } from "@ashlar/sdk";
import { type ServerProcess, startServer } from "./child-process.ts";
import type { Postgres } from "./postgres.ts";

/** Servers that a row runs against. */
export interface Servers {
  readonly url: string;
  readonly apiKey: string;
  /** Of the process that took most, and of all together; PostgreSQL is not counted. */
  memory(): ServerMemory;
  stop(): Promise<void>;
}

/** Resident memory of a row's servers at their peak; `undefined` where the system does not tell. */
export interface ServerMemory {
  readonly processes: number;
  readonly largestRssBytes: number | undefined;
  readonly totalRssBytes: number | undefined;
}

const MAIN = fileURLToPath(new URL("../../../packages/server/src/cli/main.ts", import.meta.url));

/** Size of the cluster that rows run against, and copies of each chunk in it. */
export const CLUSTER_NODE_COUNT = 6;
export const CLUSTER_REPLICATION_FACTOR = 3;

/** `ashlar serve` over an empty folder: gateway, metadata and chunks in one process. */
export async function startOneServer(options: {
  readonly folder: string;
  readonly durability: Durability;
  readonly core?: number | undefined;
}): Promise<Servers> {
  const { folder, durability, core } = options;
  const args = ["serve", "--path", folder, "--port", "0", "--log-level", "silent", "--json"];
  const server = await startServer({ file: MAIN, args, core, env: { ASHLAR_DURABILITY: durability } });
  return serversOf(server, [server]);
}

/** A gateway and six storage nodes, each in a process of its own, over an empty database. */
export async function startCluster(options: {
  readonly folder: string;
  readonly durability: Durability;
  readonly postgres: Postgres;
}): Promise<Servers> {
  const { folder, durability, postgres } = options;
  const env = {
    DATABASE_URL: await postgres.createDatabase(),
    CLUSTER_KEY: randomBytes(32).toString("hex"),
    ASHLAR_DURABILITY: durability,
    REPLICATION_FACTOR: String(CLUSTER_REPLICATION_FACTOR),
  };
  const common = ["--port", "0", "--log-level", "silent", "--json"];
  const gateway = await startServer({ file: MAIN, args: ["gateway", ...common], env });
  const nodes = await Promise.all(
    Array.from({ length: CLUSTER_NODE_COUNT }, (_, index) => {
      const name = `node-${index + 1}`;
      const own = ["--server-id", name, "--data-dir", join(folder, name)];
      return startServer({ file: MAIN, args: ["node", ...own, ...common], env });
    }),
  );
  return serversOf(gateway, [gateway, ...nodes]);
}

function serversOf(front: ServerProcess, all: readonly ServerProcess[]): Servers {
  return {
    url: String(front.ready.url),
    apiKey: String(front.ready.apiKey),
    memory() {
      const peaks = all.flatMap((server) => server.peakRssBytes() ?? []);
      const known = peaks.length === all.length;
      return {
        processes: all.length,
        largestRssBytes: known ? Math.max(...peaks) : undefined,
        totalRssBytes: known ? peaks.reduce((sum, each) => sum + each, 0) : undefined,
      };
    },
    stop: async () => void (await Promise.all(all.map((server) => server.stop()))),
  };
}
