import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type RunningPostgres, startLocalPostgres } from "@ashlar/adapters/local-postgres";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, MIB, type ObjectClient } from "@ashlar/sdk";
import { type MetadataStore, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "@ashlar/server";
import pg from "pg";
import { NODEJS_ARGUMENTS } from "../../support/ashlar-program.ts";
import { freePort } from "../../support/free-ports.ts";
import { type ServerProcess, startServerProcess } from "../../support/server-process.ts";
import { mayMount, mountSmallDisk, type SmallDisk } from "../../support/small-disk.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { createTempFolder, type TempFolder } from "../../support/temp-folder.ts";
import { CHUNK_BYTES } from "./contents.ts";
import type { GatewayProgramOptions } from "./gateway-program.ts";

const NODES = 6;
const GATEWAYS = 2;
const GATEWAY_PROGRAM = fileURLToPath(new URL("gateway-program.ts", import.meta.url));
const HEARTBEAT_MS = "500";
/** So many nodes at a time have a disk of their own, which can be filled: it takes memory, in a long run a GiB each. */
const DISKS = 2;
const DISK_BYTES = 8192 * MIB;
/** A server that cannot start, because the database is away, is started again. */
const START_LIMIT_MS = 120_000;
const START_PAUSE_MS = 300;
const PERIODS = { repairIntervalMs: 1000, collectIntervalMs: 7000, graceMs: 5000, reReplicateAfterMs: 5000 };
/** Calls end soon, so that their outcome is known soon: there are other seats to try. */
const RETRY_FOR_MS = 4000;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A gateway or a node, one process after the other at one address. */
export class Server {
  readonly name: string;
  /** Of a node: its data. */
  readonly folder: string | undefined;
  /** Of a node: gateways and direct clients reach it through this; it reaches the database by itself. */
  readonly link: TcpProxy | undefined;
  /** Of a node: the disk that its folder is on, if it is its own. */
  readonly disk: SmallDisk | undefined;
  readonly #start: () => Promise<ServerProcess>;
  #process: ServerProcess | undefined;
  /** Logs of the processes that ended. */
  #before = "";

  constructor(
    name: string,
    start: () => Promise<ServerProcess>,
    parts: { readonly folder?: string; readonly link?: TcpProxy; readonly disk?: SmallDisk | undefined } = {},
  ) {
    this.name = name;
    this.folder = parts.folder;
    this.link = parts.link;
    this.disk = parts.disk;
    this.#start = start;
  }

  /** Whether it should run, and does not: it ended by itself. */
  get hasCrashed(): boolean {
    return this.#process?.hasEnded() ?? false;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && !this.#process.hasEnded();
  }

  /** Its own address, without the link. */
  get url(): string {
    return this.#process?.url ?? "";
  }

  log(): string {
    return this.#before + (this.#process?.log() ?? "");
  }

  async start(): Promise<void> {
    const limitMs = performance.now() + START_LIMIT_MS;
    for (;;) {
      try {
        this.#process = await this.#start();
        return;
      } catch (error) {
        this.#before += `${error instanceof Error ? error.message : ""}\n`;
        if (performance.now() > limitMs) throw error;
        await pause(START_PAUSE_MS);
      }
    }
  }

  async kill(): Promise<void> {
    const process = this.#forget();
    await process?.kill();
  }

  /** @returns its exit code; 0 if it did not run. */
  async stop(): Promise<number | null> {
    const process = this.#forget();
    return process === undefined ? 0 : await process.stop();
  }

  freeze(): void {
    this.#process?.freeze();
  }

  thaw(): void {
    this.#process?.thaw();
  }

  #forget(): ServerProcess | undefined {
    const process = this.#process;
    this.#before = this.log();
    this.#process = undefined;
    return process;
  }
}

/** A client with what it is called in findings. */
export interface Seat {
  readonly name: string;
  readonly client: ObjectClient;
}

/** The processes of the run. */
export class NemesisServers {
  readonly folder: TempFolder;
  readonly postgres: RunningPostgres;
  readonly gateways: Server[] = [];
  /** Those that belong to the cluster; a node that was removed is no more. */
  readonly nodes: Server[] = [];
  /** Removed from the layout, and still needed: some chunk may follow an older one. */
  readonly leaving: Server[] = [];
  readonly seats: Seat[] = [];
  readonly metadata: MetadataStore;
  readonly clusterKey: string = randomBytes(32).toString("hex");
  /** Whether nodes have disks that can be filled. */
  readonly hasDisks: boolean = mayMount();
  readonly #pool: pg.Pool;
  readonly #links: TcpProxy[] = [];
  readonly #disks = new Set<SmallDisk>();
  #nodesMade = 0;

  private constructor(
    folder: TempFolder,
    postgres: RunningPostgres,
    parts: { metadata: MetadataStore; pool: pg.Pool },
  ) {
    this.folder = folder;
    this.postgres = postgres;
    this.metadata = parts.metadata;
    this.#pool = parts.pool;
  }

  static async start(): Promise<NemesisServers> {
    const folder = await createTempFolder();
    await chmod(folder.path, 0o711);
    // Processes are killed, not the machine: what was written is there.
    const postgres = await startLocalPostgres({ settings: ["max_connections=200", "fsync=off"] });
    const pool = new pg.Pool({ connectionString: postgres.url, pipeline: true, max: 4 });
    pool.on("error", () => {}); // it is killed
    const metadata = await openPostgresMetadataStore({ pool, replicationFactor: 3 });
    const servers = new NemesisServers(folder, postgres, { metadata, pool });
    await servers.#startAll();
    return servers;
  }

  async #startAll(): Promise<void> {
    const { apiKey } = await createApiKey({
      metadata: this.metadata,
      random: systemRandom,
      name: "test",
      role: "admin",
    });
    for (let index = 0; index < NODES; index++) await this.addNode();
    for (let index = 1; index <= GATEWAYS; index++) {
      const port = await freePort();
      const name = `gateway-${index}`;
      const given: GatewayProgramOptions = {
        ...{ databaseUrl: this.postgres.url, clusterKey: this.clusterKey, port },
        ...PERIODS,
      };
      const env = { NEMESIS_GATEWAY: JSON.stringify(given) };
      const program = [process.execPath, ...NODEJS_ARGUMENTS, GATEWAY_PROGRAM] as const;
      const server = new Server(name, () => startServerProcess([], env, program as unknown as [string, ...string[]]));
      await server.start();
      this.gateways.push(server);
      const options = {
        ...{ url: `http://127.0.0.1:${port}`, apiKey, durability: "os" as const },
        ...{ chunker: fixed(CHUNK_BYTES), retry: { forMs: RETRY_FOR_MS } },
      };
      this.seats.push({ name: `${name}, gateway seat`, client: createClient(gateway(options)) });
      this.seats.push({ name: `${name}, direct seat`, client: createClient(direct(options)) });
    }
  }

  /** Starts a new node, which joins the layout. */
  async addNode(): Promise<Server> {
    const nodeId = `n${++this.#nodesMade}`;
    const disk = await this.#mountDisk(nodeId);
    // A node that loses everything loses a folder: its disk stays mounted.
    const folder = this.folder.at(nodeId, "data");
    const port = String(await freePort());
    const link = await startTcpProxy(`http://127.0.0.1:${port}`);
    const own = [
      ...["--server-id", nodeId, "--data-dir", folder, "--port", port, "--public-url", link.url],
      ...["--heartbeat-interval", HEARTBEAT_MS, "--scrub-period", "5s", "--scrub-rate", "1GiB"],
    ];
    const env = {
      ...{ DATABASE_URL: this.postgres.url, CLUSTER_KEY: this.clusterKey },
      ...{ ASHLAR_DURABILITY: "os", REPLICATION_FACTOR: "3" },
    };
    const node = new Server(nodeId, () => startServerProcess(["node", ...own], env), { folder, link, disk });
    await node.start();
    this.nodes.push(node);
    this.#links.push(link);
    return node;
  }

  async #mountDisk(nodeId: string): Promise<SmallDisk | undefined> {
    const taken = [...this.nodes, ...this.leaving].filter(({ disk }) => disk !== undefined);
    if (!this.hasDisks || taken.length >= DISKS) return undefined;
    const disk = await mountSmallDisk(this.folder.at(nodeId), DISK_BYTES);
    this.#disks.add(disk);
    return disk;
  }

  /** Takes away the disk of a node that has left. */
  async dropDisk({ disk }: Server): Promise<void> {
    if (disk === undefined || !this.#disks.delete(disk)) return;
    await disk[Symbol.asyncDispose]();
  }

  get all(): readonly Server[] {
    return [...this.gateways, ...this.nodes, ...this.leaving];
  }

  /** The processes of PostgreSQL; the one that starts the others is the first. */
  postgresPids(): readonly number[] {
    const { port } = new URL(this.postgres.url);
    const [main] = childrenOf(process.pid).filter((pid) => {
      const words = commandOf(pid);
      return words.includes("-p") && words[words.indexOf("-p") + 1] === port;
    });
    return main === undefined ? [] : [main, ...childrenOf(main)];
  }

  /** Runs one statement over a connection of its own. */
  async query<Row extends pg.QueryResultRow>(sql: string): Promise<readonly Row[]> {
    const client = new pg.Client({ connectionString: this.postgres.url, connectionTimeoutMillis: 10_000 });
    client.on("error", () => {}); // the query says it
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Writes the log of every server to a folder. */
  async writeLogs(path: string): Promise<void> {
    for (const server of this.all) await writeFile(`${path}/${server.name}.log`, server.log());
  }

  /** Ends everything in order. @returns what did not end as it should. */
  async stop(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const { client } of this.seats) await client.close();
    for (const server of this.all) {
      const code = await server.stop();
      if (code !== 0) problems.push(`${server.name} ended with ${code}`);
    }
    return problems;
  }

  async dispose(): Promise<void> {
    for (const { client } of this.seats) await client.close();
    await Promise.all(this.all.map((server) => server.kill()));
    for (const link of this.#links) await link.close();
    for (const pid of this.postgresPids()) signal(pid, "SIGCONT");
    await this.metadata.close();
    await this.#pool.end().catch(() => {});
    await this.postgres.dispose();
    for (const disk of this.#disks) await disk[Symbol.asyncDispose]();
    await rm(this.folder.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Sends a signal to a process that may be gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone
  }
}

function childrenOf(pid: number): number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((each) => parentOf(each) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    // "pid (name) state parent …"; the name may hold anything.
    return Number(
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[1],
    );
  } catch {
    return undefined;
  }
}

function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
