import {
  type Clock,
  checkedMetadataStore,
  guardedLogger,
  guardedTracer,
  type Logger,
  type MetadataStore,
  type Random,
  systemClock,
  systemRandom,
  type Tracer,
} from "@ashlar/sdk/ports";
import { resolveLayoutDefaults } from "../../internal/metadata/layout-changes.ts";
import { migrate } from "../../internal/sql/migrate.ts";
import { createSqlMetadataStore } from "../../internal/sql/sql-metadata-store.ts";
import { tracedExecutor } from "../../internal/sql/traced-executor.ts";
import type { PgClient, PgPool } from "./postgres-client.ts";
import { PostgresExecutor } from "./postgres-executor.ts";
import { MIGRATION_LOCK, postgresSession, queryScript } from "./postgres-session.ts";
import { tracedPool } from "./traced-pool.ts";

export type { PgClient, PgPool, PgQueryConfig, PgResult, PgTypes } from "./postgres-client.ts";

/** Options of {@link openPostgresMetadataStore}. */
export interface PostgresMetadataStoreOptions {
  /**
   * A pool of connections: `new pg.Pool({ connectionString, pipeline: true })`. With `pipeline` a write takes two round trips; without it, one for
   * each of its statements, some ten if the object has chunks. A pool stays the caller's. A pool that a function returns belongs to the store, and
   * `close()` ends it. Tables are made in the schema that comes first in the search path.
   */
  readonly pool: PgPool | (() => PgPool | Promise<PgPool>);
  /** Times retries; default: the system's. Times in the tables are the database's own. */
  readonly clock?: Clock | undefined;
  /** Default: the system's. */
  readonly random?: Random | undefined;
  /** Default: logs nothing. */
  readonly logger?: Logger | undefined;
  /** Makes a span for each operation, and for each of its statements. Default: none. */
  readonly tracer?: Tracer | undefined;
  /** True: nodes that register wait for an operator's changeLayout. Default false. */
  readonly stagedLayouts?: boolean | undefined;
  /** Copies wanted in the first layout; default 3. */
  readonly replicationFactor?: number | undefined;
  /** Prepare frequent statements once per connection. Default true; false behind poolers that switch connections between statements. */
  readonly preparedStatements?: boolean | undefined;
  /** How long a call is tried again while the database is away, in ms; default 10,000: a restart passes unnoticed. */
  readonly retryForMs?: number | undefined;
  /**
   * How long one statement with those that are sent with it, or getting a connection, may take before the database counts as away, in ms; default
   * 30,000. `ping()` takes 2 s at most.
   */
  readonly statementTimeoutMs?: number | undefined;
}

/**
 * Opens the metadata store of a cluster on PostgreSQL ≥ 13, or on a database with its protocol and dialect, and brings the schema up to date.
 *
 * Any number of processes may share the database. Conflicts and lost connections are tried again; a write happens once, also when the
 * answer to its commit is lost.
 *
 * @throws {AshlarError} METADATA_UNAVAILABLE, STORE_INCOMPATIBLE (a newer release, or tables of another application).
 */
export async function openPostgresMetadataStore(options: PostgresMetadataStoreOptions): Promise<MetadataStore> {
  const { clock = systemClock, random = systemRandom, stagedLayouts = false } = options;
  const logger = guardedLogger(options.logger);
  const tracer = guardedTracer(options.tracer);
  const layoutPolicy = { stagedLayouts, defaults: resolveLayoutDefaults(options) };
  const ownsPool = typeof options.pool === "function";
  const pool = tracedPool(typeof options.pool === "function" ? await options.pool() : options.pool, tracer);
  const { preparedStatements = true, retryForMs = 10_000, statementTimeoutMs = 30_000 } = options;
  const executor = new PostgresExecutor({
    pool,
    ownsPool,
    clock,
    random,
    logger,
    preparedStatements,
    retryForMs,
    statementTimeoutMs,
  });
  try {
    await executor.retry(() => executor.withClient(migratePostgres, { timed: false }));
  } catch (error) {
    await executor.close();
    throw error;
  }
  const capabilities = Object.freeze({ persistent: true, sharedByProcesses: true });
  const traced = tracedExecutor(executor, { tracer, system: "postgresql", kind: "internal" });
  return checkedMetadataStore(createSqlMetadataStore({ executor: traced, capabilities, layoutPolicy }));
}

/** Processes that start at once take turns. */
async function migratePostgres(client: PgClient): Promise<void> {
  await queryScript(client, `BEGIN; SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  try {
    const session = postgresSession({ client, operationId: "", preparedStatements: false });
    await migrate(session, async (name) => {
      const [row] = await session.query<{ present: boolean }>("SELECT to_regclass($1) IS NOT NULL AS present", [name]);
      return row?.present === true;
    });
    await queryScript(client, "COMMIT");
  } catch (error) {
    await queryScript(client, "ROLLBACK").catch(() => {}); // the first error says more
    throw error;
  }
}
