import { readFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { type CliResult, cli, jsonLines, type SpawnedCli, spawnCli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

/** A process as `cluster status --json` shows it. */
export interface ShownProcess {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
  readonly pid?: number;
  readonly address: string;
  readonly restarts: number;
  readonly keptDownForMs?: number;
  readonly chunks?: number;
  readonly bytesUsed?: number;
  readonly bytesFree?: number;
}

/** What `cluster status --json` shows. */
export interface ShownStatus {
  readonly path: string;
  readonly supervisorPid: number;
  readonly ready: boolean;
  readonly url: string;
  readonly apiKeyFile: string;
  readonly processes: readonly ShownProcess[];
}

const READY_LIMIT_MS = 150_000;
const POLL_MS = 100;

/** A folder with a cluster in it, through the command line. */
export class LocalCluster {
  readonly folder: TempFolder;
  readonly path: string;

  private constructor(folder: TempFolder) {
    this.folder = folder;
    this.path = folder.at("cluster");
  }

  static async create(): Promise<LocalCluster> {
    const folder = await createTempFolder();
    // As root, PostgreSQL runs as another user, who has to get through.
    await chmod(folder.path, 0o711);
    return new LocalCluster(folder);
  }

  /** `cluster up`, in a process of its own; not ready yet. */
  up(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}): SpawnedCli {
    return spawnCli(["cluster", "up", "--path", this.path, "--heartbeat-interval", "500", ...flags], {
      env: { HOME: this.folder.path, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
    });
  }

  /** Another `cluster` command, to its end. */
  run(command: string, ...args: string[]): Promise<CliResult> {
    return cli(["cluster", command, ...args, "--path", this.path]);
  }

  async status(): Promise<ShownStatus> {
    const { stdout, stderr } = await this.run("status", "--json");
    const [status] = jsonLines<ShownStatus>(stdout);
    if (status === undefined) throw new Error(stderr);
    return status;
  }

  /** Waits for a state of the cluster; a supervisor that does not answer yet is waited for too. */
  async until(reached: (status: ShownStatus) => boolean): Promise<ShownStatus> {
    const untilMs = performance.now() + READY_LIMIT_MS;
    let last: unknown;
    while (performance.now() < untilMs) {
      try {
        const status = await this.status();
        if (reached(status)) return status;
        last = JSON.stringify(status.processes, undefined, 1);
      } catch (error) {
        last = error;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`not reached in ${READY_LIMIT_MS} ms: ${String(last)}`);
  }

  ready(): Promise<ShownStatus> {
    return this.until((status) => status.ready);
  }

  process(name: string, status: ShownStatus): ShownProcess {
    const found = status.processes.find((process) => process.name === name);
    if (found === undefined) throw new Error(`no ${name} among ${status.processes.map((entry) => entry.name)}`);
    return found;
  }

  /** Settings of clients. */
  env(status: ShownStatus): Record<string, string> {
    return { ASHLAR_GATEWAY: status.url, ASHLAR_API_KEY: readFileSync(status.apiKeyFile, "utf8").trim() };
  }

  /** Stops and deletes it, whatever state it is in. */
  async remove(): Promise<void> {
    await this.run("down", "--delete", "--yes");
    await this.folder.remove();
  }
}

/** Every process of a cluster, the supervisor too. */
export function pidsOf(status: ShownStatus): readonly number[] {
  return [status.supervisorPid, ...status.processes.flatMap(({ pid }) => pid ?? [])];
}

/** Whether a process runs; one that is dead and not yet reaped does not. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
