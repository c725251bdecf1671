import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SeatSpec } from "./app/client-spec.ts";
import type { LoadPlan, LoadReport } from "./load/run-load.ts";
import type { RowResult } from "./results.ts";
import type { RowSpec } from "./rows.ts";
import { runProgram } from "./servers/child-process.ts";
import type { Postgres } from "./servers/postgres.ts";
import { type Servers, startCluster, startOneServer } from "./servers/setup.ts";

/** What rows share. */
export interface RowContext {
  /** A folder of the run's own. */
  readonly folder: string;
  readonly plan: LoadPlan;
  readonly chunkBytes: number;
  readonly postgres: () => Promise<Postgres>;
  /** Core for apps whose server has one to itself; `undefined` where cores cannot be picked. */
  readonly appCore: number | undefined;
}

/** Runs one row once: its servers over empty data, its app in a process of its own; nothing of it stays. */
export async function runRow(row: RowSpec, context: RowContext): Promise<RowResult> {
  const folder = join(context.folder, "row");
  await mkdir(folder);
  let servers: Servers | undefined;
  try {
    servers = await startServers(row, folder, context);
    const client = { ...seatOf(row, folder, servers), chunkBytes: context.chunkBytes };
    const plan = row.core === undefined ? context.plan : { ...context.plan, bulkBytes: 0, singleBytes: 0 };
    const core = row.core === undefined ? undefined : context.appCore;
    const phases = (await runProgram({ file: "app/main.ts", core }, { client, plan })) as LoadReport;
    const serverMemory = servers?.memory();
    return { ...row, phases, ...(serverMemory && { serverMemory }) };
  } finally {
    await servers?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startServers(row: RowSpec, folder: string, context: RowContext): Promise<Servers | undefined> {
  const { durability, core } = row;
  switch (row.servers) {
    case "none":
      return undefined;
    case "one":
      return await startOneServer({ folder, durability, core: context.appCore === undefined ? undefined : core });
    case "cluster":
      return await startCluster({ folder, durability, postgres: await context.postgres() });
  }
}

function seatOf({ seat, transport, durability }: RowSpec, folder: string, servers: Servers | undefined): SeatSpec {
  if (seat === "embedded" || seat === "in-process") return { seat, path: folder, durability };
  if (servers === undefined || transport === undefined)
    throw new Error(`a row of the ${seat} seat names servers and transport`);
  return { seat, transport, durability, url: servers.url, apiKey: servers.apiKey };
}
