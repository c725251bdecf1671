import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Logger, type MetadataStore, silentLogger, type Tracer } from "@ashlar/sdk/ports";
import { isThere } from "../../files/file-error.ts";

/** Where metadata is stored, and how to open it. */
export interface MetadataPlace {
  /** Folder with a `metadata.sqlite`; made if it is missing. */
  readonly path?: string | undefined;
  /** PostgreSQL; used instead of the folder if both are given. */
  readonly databaseUrl?: string | undefined;
  /** An operator's decision about a folder whose database was lost or replaced. */
  readonly takeOver?: "start-empty" | "accept" | undefined;
  /** Copies that a cluster's first layout asks for. */
  readonly replicationFactor?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly tracer?: Tracer | undefined;
}

/** A metadata store that is closed at the end of its scope. */
export interface OpenedMetadata extends AsyncDisposable {
  readonly metadata: MetadataStore;
}

/** Connections of one process: a gateway's statements are short, so more would only queue in the database. */
const POOL_CONNECTIONS = 16;
/** As PEER_STALLED_AFTER_MS: whoever waits longer for a connection is told so, and a connection that is never made is closed. */
const CONNECT_TIMEOUT_MS = 15_000;

/**
 * Opens PostgreSQL or SQLite.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if neither is named, or the path is no folder; METADATA_UNAVAILABLE, STORE_INCOMPATIBLE.
 */
export async function openMetadata(place: MetadataPlace): Promise<OpenedMetadata> {
  const { path, databaseUrl, replicationFactor, tracer, logger = silentLogger } = place;
  if (databaseUrl !== undefined) return await openPostgres(databaseUrl, { replicationFactor, logger, tracer });
  if (path === undefined) {
    throw new AshlarError("INVALID_ARGUMENT", "where is the metadata? set DATABASE_URL, or name a folder with --path");
  }
  const { makeStoreFolder } = await import("@ashlar/adapters/chunk-store/fs");
  const { openSqliteMetadataStore } = await import("@ashlar/adapters/metadata-store/sqlite");
  await makeStoreFolder(path);
  const store = await openSqliteMetadataStore({
    path: join(path, "metadata.sqlite"),
    storeFolder: path,
    takeOver: place.takeOver,
    replicationFactor,
    logger,
    tracer,
  });
  return disposable(store, () => store.close());
}

/**
 * Like {@link openMetadata}, for commands that look at a store or make keys for it. They make no store: a mistyped path would get one.
 *
 * @throws {AshlarError} as {@link openMetadata}; BUCKET_NOT_FOUND if the folder holds no store.
 */
export async function openExistingMetadata(place: MetadataPlace): Promise<OpenedMetadata> {
  if (place.databaseUrl === undefined && place.path !== undefined) assertStoreThere(place.path);
  return await openMetadata(place);
}

/** Whether a folder holds an embedded store, or a server's metadata. @throws {AshlarError} as {@link isThere}. */
export function holdsStore(path: string): boolean {
  return isThere(join(path, "metadata.sqlite"));
}

/**
 * Fails if a folder holds no store. Only `serve` and commands that make a bucket make one: otherwise a mistyped path would look like an empty store.
 *
 * @throws {AshlarError} BUCKET_NOT_FOUND; as {@link isThere}.
 */
export function assertStoreThere(path: string): void {
  if (holdsStore(path)) return;
  throw new AshlarError("BUCKET_NOT_FOUND", `there is no store in ${path}`, { details: { path } });
}

async function openPostgres(
  databaseUrl: string,
  options: {
    readonly replicationFactor: number | undefined;
    readonly logger: Logger;
    readonly tracer: Tracer | undefined;
  },
): Promise<OpenedMetadata> {
  const { default: pg } = await import("pg");
  const { openPostgresMetadataStore } = await import("@ashlar/adapters/metadata-store/postgres");
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POOL_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    pipeline: true,
  });
  // Idle connections break when the database stops; the next query reports that to its caller.
  pool.on("error", (error) => options.logger.warn({ error }, "a database connection broke"));
  const store = await openPostgresMetadataStore({ pool, ...options }).catch(async (error: unknown) => {
    await pool.end();
    throw atPlace(error, databaseUrl);
  });
  return disposable(store, async () => {
    await store.close();
    await pool.end();
  });
}

/** Adds host, port and the driver's code, which distinguish a stopped database from a wrong name; never the user or the password. */
function atPlace(error: unknown, databaseUrl: string): unknown {
  if (!AshlarError.is(error, "METADATA_UNAVAILABLE") || !URL.canParse(databaseUrl)) return error;
  const { host } = new URL(databaseUrl);
  const cause: unknown = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return new AshlarError(error.code, `${error.message}, at ${host}${code}`, { cause: error, details: error.details });
}

function disposable(metadata: MetadataStore, close: () => Promise<void>): OpenedMetadata {
  return { metadata, [Symbol.asyncDispose]: close };
}
