import { randomBytes } from "node:crypto";
import { startLocalPostgres } from "@ashlar/adapters/local-postgres";
import pg from "pg";

/** A real PostgreSQL, as durable as it comes: it syncs each commit. */
export interface Postgres {
  /** An empty database of its own. @returns its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 300;

/** The server in DATABASE_URL, or one of our own, with its data below `folder` if PostgreSQL's user may enter that. */
export async function openPostgres(folder: string): Promise<Postgres> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== "") return databasesOn(given, async () => {});
  const server = await startLocalPostgres({ parent: folder, settings: [`max_connections=${CONNECTIONS_MAX}`] });
  return databasesOn(server.url, () => server.dispose());
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
