import { randomBytes } from "node:crypto";
import pg from "pg";

/** An empty schema of its own in the database of the run, for servers that are configured by a URL. */
export interface PostgresSchema {
  /** Connections to this URL work in the schema. */
  readonly url: string;
  /** Runs one statement in the schema. */
  query(sql: string): Promise<void>;
  /** Drops the schema; everything that uses it must have stopped. */
  drop(): Promise<void>;
}

/** @throws if DATABASE_URL is not set; vitest's global set-up sets it. */
export async function createPostgresSchema(): Promise<PostgresSchema> {
  const base = process.env.DATABASE_URL;
  if (base === undefined) throw new Error("DATABASE_URL is not set, and the global set-up did not run");
  const name = `ashlar_test_${randomBytes(8).toString("hex")}`;
  const run = async (sql: string, connectionString: string): Promise<void> => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE SCHEMA ${name}`, base);
  const address = new URL(base);
  address.searchParams.set("options", `-c search_path=${name}`);
  // The driver decodes %20 but takes a plus as it is.
  const url = address.href.replaceAll("+", "%20");
  return {
    url,
    query: (sql) => run(sql, url),
    drop: () => run(`DROP SCHEMA IF EXISTS ${name} CASCADE`, base),
  };
}
