import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { ASHLAR_COMMAND } from "../support/ashlar-program.ts";
import { freePort } from "../support/free-ports.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { type ComposeFile, type ComposeService, ROOT, startOrder } from "./compose-file.ts";
import { readDockerfile } from "./dockerfile.ts";

const run = promisify(execFile);
const HEALTH_PATH = "/opt/ashlar/healthcheck.mjs";
/** Long, because other tests run at the same time. */
const HEALTHY_MS = 90_000;
const HEALTH_INTERVAL_MS = 250;
const DATABASE_PORT = 5432;

/** A service that runs as a plain process. */
export interface ComposeProcess {
  readonly name: string;
  /** Services that had been started before. */
  readonly startedAfter: readonly string[];
  stdout(): string;
  stderr(): string;
  /** Runs a command of the image in the service's environment, as `docker compose exec` does. @returns standard output. */
  exec(command: readonly string[]): Promise<string>;
  /** Sends SIGTERM. @returns the exit code. */
  stop(): Promise<number | null>;
}

/** The services of a Compose file as processes of this machine. */
export interface ComposeProcesses {
  readonly services: ReadonlyMap<string, ComposeProcess>;
  /** Where a service's container port is reached. */
  url(service: string, port: number): string;
  /** Stops what still runs, dependants first, and removes all data. */
  down(): Promise<void>;
}

/**
 * Runs the services of a Compose file that are made from our Dockerfile. Entry point, command, environment and health check are as the two files
 * say. The order is that of `depends_on`: each service starts when those that it waits for are started or healthy. There is no container network or
 * file system: host names become 127.0.0.1, ports become free ones, `/data` becomes a folder. The database is one of its own in the run's PostgreSQL,
 * with a role of its own and the password that the file names.
 */
export async function composeUp(file: ComposeFile): Promise<ComposeProcesses> {
  const folder = await createTempFolder();
  const addresses = await assignPorts(file);
  const databases: TestDatabase[] = [];
  const running = new Map<string, ComposeProcess>();
  const down = async (): Promise<void> => {
    for (const service of [...running.values()].toReversed()) await service.stop();
    for (const database of databases) await database.drop();
    await folder.remove();
  };
  const begun = new Map<string, Promise<BegunService>>();
  const untilBegunIsHealthy = async (name: string): Promise<void> => (await begun.get(name))?.healthy;
  const begin = async (name: string, service: ComposeService): Promise<BegunService> => {
    const needs = Object.entries(service.depends_on ?? {});
    await Promise.all(
      needs.map(([needed, { condition }]) =>
        condition === "service_healthy" ? untilBegunIsHealthy(needed) : begun.get(needed),
      ),
    );
    if (service.image?.startsWith("postgres:")) {
      const database = await makeDatabase(name, service);
      databases.push(database);
      addresses.set(database.composeUrl, database.url);
      return { healthy: Promise.resolve() };
    }
    const { process, healthy } = await startService(name, {
      service,
      folder,
      addresses,
      startedAfter: [...running.keys()],
    });
    running.set(name, process);
    return { healthy };
  };
  for (const name of startOrder(file)) begun.set(name, begin(name, file.services[name] as ComposeService));
  const outcomes = await Promise.allSettled([...begun.keys()].map(untilBegunIsHealthy));
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) {
    await down();
    throw failure.reason;
  }
  return { services: running, down, url: (service, port) => `http://${addresses.get(`${service}:${port}`)}` };
}

/** A service whose process has started. In an object, because a promise of a promise waits for both. */
interface BegunService {
  readonly healthy: Promise<void>;
}

/** What replaces what: addresses on this machine by `service:port` of the file, and the database's URL. */
type Addresses = ReadonlyMap<string, string>;

/** The ports that a service's own environment names. */
function containerPorts({ environment = {} }: ComposeService): readonly number[] {
  return [environment.PORT, environment.GRPC_PORT].filter((port) => port !== undefined).map(Number);
}

async function assignPorts({ services }: ComposeFile): Promise<Map<string, string>> {
  const addresses = new Map<string, string>();
  for (const [name, service] of Object.entries(services)) {
    for (const port of containerPorts(service)) addresses.set(`${name}:${port}`, `127.0.0.1:${await freePort()}`);
  }
  return addresses;
}

interface ServiceStart {
  readonly service: ComposeService;
  readonly folder: TempFolder;
  readonly addresses: Addresses;
  readonly startedAfter: readonly string[];
}

async function startService(
  name: string,
  start: ServiceStart,
): Promise<BegunService & { readonly process: ComposeProcess }> {
  const { service, folder, addresses, startedAfter } = start;
  const image = readDockerfile();
  const data = folder.at(name);
  await mkdir(data);
  const ports = new Map(
    containerPorts(service).map((port) => [port, Number(addresses.get(`${name}:${port}`)?.split(":")[1])] as const),
  );
  const env = processEnvironment({ ...image.env, ...service.environment }, { addresses, data, ports });
  const [command = "", ...args] = programOf([...image.entrypoint, ...(service.command ?? [])]);
  const child = spawn(command, args, { cwd: data, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const exec = async (words: readonly string[]): Promise<string> => {
    const [file = "", ...rest] = programOf(words);
    return (await run(file, rest, { cwd: data, env })).stdout;
  };
  const started: ComposeProcess = {
    ...{ name, startedAfter, stdout, stderr, exec },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, "exit");
        child.kill("SIGTERM");
        await exit;
      }
      return child.exitCode;
    },
  };
  return {
    process: started,
    healthy: untilHealthy(child, { check: () => exec(image.healthcheck), log: stderr, name }),
  };
}

/** The program in this checkout for a command of the image. */
function programOf([program = "", ...args]: readonly string[]): readonly string[] {
  const words = args.map((word) => (word === HEALTH_PATH ? join(ROOT, "containers/healthcheck.mjs") : word));
  if (program === "ashlar") return [...ASHLAR_COMMAND, ...words];
  return [program === "node" ? process.execPath : program, ...words];
}

function processEnvironment(
  environment: Readonly<Record<string, string>>,
  place: { readonly addresses: Addresses; readonly data: string; readonly ports: ReadonlyMap<number, number> },
): Record<string, string> {
  const env: Record<string, string> = { PATH: process.env.PATH ?? "" };
  if (process.env.NODE_COMPILE_CACHE !== undefined) env.NODE_COMPILE_CACHE = process.env.NODE_COMPILE_CACHE;
  for (const [name, text] of Object.entries(environment)) {
    let value = text;
    for (const [from, to] of place.addresses) value = value.replace(from, to);
    if (name === "PORT" || name === "GRPC_PORT") value = String(place.ports.get(Number(text)));
    if (text === "/data") value = place.data;
    // Servers of tests listen on the loopback interface only.
    if (name === "LISTEN_HOST") value = "127.0.0.1";
    env[name] = value;
  }
  return env;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (slice: string) => {
    text += slice;
  });
  return () => text;
}

async function untilHealthy(
  child: ChildProcess,
  { name, check, log }: { readonly name: string; readonly check: () => Promise<string>; readonly log: () => string },
): Promise<void> {
  const deadlineMs = performance.now() + HEALTHY_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended: ${log()}`);
    const isHealthy = await check().then(
      () => true,
      () => false,
    );
    if (isHealthy) return;
    if (performance.now() > deadlineMs) {
      child.kill("SIGKILL");
      throw new Error(`${name} is not healthy: ${log()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, HEALTH_INTERVAL_MS));
  }
}

interface TestDatabase {
  /** What programs of the Compose file call it. */
  readonly composeUrl: string;
  readonly url: string;
  drop(): Promise<void>;
}

/** A role and a database as the image postgres makes them of its variables, in the PostgreSQL of this test run and under names of their own. */
async function makeDatabase(host: string, { environment = {} }: ComposeService): Promise<TestDatabase> {
  const { POSTGRES_USER: user = "", POSTGRES_PASSWORD: password = "", POSTGRES_DB: database = "" } = environment;
  const own = `compose_${randomBytes(6).toString("hex")}`;
  const query = async (...statements: readonly string[]): Promise<void> => {
    const client = new pg.Client({ connectionString: process.env.DATABASE_URL ?? "" });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await query(`CREATE ROLE ${own} LOGIN PASSWORD ${pg.escapeLiteral(password)}`, `CREATE DATABASE ${own} OWNER ${own}`);
  const url = new URL(process.env.DATABASE_URL ?? "");
  return {
    composeUrl: `postgres://${user}:${password}@${host}:${DATABASE_PORT}/${database}`,
    url: `postgres://${own}:${password}@${url.host}/${own}`,
    drop: () => query(`DROP DATABASE ${own} WITH (FORCE)`, `DROP ROLE ${own}`),
  };
}
