import { resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Durability, MetadataStore } from "@ashlar/sdk/ports";
import {
  type Clock,
  checkedMetadataStore,
  guardedLogger,
  guardedTracer,
  type Logger,
  type Random,
  systemClock,
  systemRandom,
  type Tracer,
} from "@ashlar/sdk/ports";
import { resolveLayoutDefaults } from "../../internal/metadata/layout-changes.ts";
import { newId } from "../../internal/metadata/new-id.ts";
import { namesOf } from "../../internal/metadata/write-name.ts";
import { methodOf, rulesOfSql, type SqlOperationInput, type SqlOperationName } from "../../internal/sql/operations.ts";
import { createSqlMetadataStore, type SqlExecutor } from "../../internal/sql/sql-metadata-store.ts";
import { tracedExecutor } from "../../internal/sql/traced-executor.ts";
import { explained } from "../../internal/store-folder.ts";
import { DatabaseSteps } from "./database-steps.ts";
import { inThreadClient } from "./in-thread-client.ts";
import { assertNodejsHasSqlite } from "./nodejs-version.ts";
import { rememberDatabase, type TakeOver, viewFolder } from "./store-guard.ts";
import { type SqliteClient, WorkerClient } from "./worker-client.ts";
import type { WorkerInit, WorkerRequest } from "./worker-protocol.ts";
import { assertWorkerUrl } from "./worker-thread.ts";

/** Options of {@link openSqliteMetadataStore}. */
export interface SqliteMetadataStoreOptions {
  /** File of the database; made if it is missing, its folder is not. `-wal` and `-shm` files appear next to it. */
  readonly path: string;
  /** When a write that names no mode of its own (buckets, deletes, parts, …) is acknowledged; default `strict`. */
  readonly durability?: Durability | undefined;
  /** Default: the system's. Times in the file are this clock's. */
  readonly clock?: Clock | undefined;
  /** Default: the system's. */
  readonly random?: Random | undefined;
  /** Default: logs nothing. */
  readonly logger?: Logger | undefined;
  /** Makes a span for each operation. Default: none. */
  readonly tracer?: Tracer | undefined;
  /** True: nodes that register wait for an operator's changeLayout. Default false. */
  readonly stagedLayouts?: boolean | undefined;
  /** Copies wanted in the first layout; default 3. */
  readonly replicationFactor?: number | undefined;
  /**
   * Folder of the store that the file belongs to, with its chunks. The file is compared with what that folder remembers of its database: a file that
   * was lost, emptied or exchanged is METADATA_CORRUPT, and not a new store. Default: the file belongs to no folder.
   */
  readonly storeFolder?: string | undefined;
  /** An operator's decision where `storeFolder` refuses the file: make a new database, or take this one. The chunks are kept either way. */
  readonly takeOver?: TakeOver | undefined;
  /** File of the worker's code, `@ashlar/adapters/sqlite-worker` as it was bundled; only bundled apps need it. Default: next to this module. */
  readonly workerUrl?: URL | undefined;
  /**
   * Where SQLite runs. `worker` (default): in two threads of its own, so that the app's event loop never waits for a disk. `caller`: in this one, where
   * no thread can be started or one order of all steps is wanted (simulation); each `strict` write then stops the event loop for its fsync, and a file
   * that another process keeps locked stops it for up to 16 s.
   */
  readonly thread?: "worker" | "caller" | undefined;
}

/** Makes a client of the file, not open yet. A worker starts its thread at once. */
type Connect = (role: WorkerInit["role"]) => SqliteClient;

/** Asks a worker for one operation. @param names under which its result is kept; default: none. */
type AskWorker = (
  client: SqliteClient,
  ask: Pick<WorkerRequest, "name" | "durability"> & {
    readonly input: unknown;
    readonly names?: WorkerRequest["names"];
  },
) => Promise<unknown>;

/**
 * Opens the metadata store of one machine: an SQLite file with write-ahead log, off the app's thread, with group commit.
 *
 * Any number of processes may open the file. Writes are synced before they are answered (`strict`); `batched` ones within 100 ms after;
 * `os` ones when the log is copied back, at the latest. A crash of the process loses nothing that was answered in any mode.
 *
 * After a crash the file is examined before it is used, up to 256 MiB of it.
 *
 * @throws {AshlarError} METADATA_CORRUPT if the file is damaged, or is not the one that `storeFolder` had; STORE_INCOMPATIBLE if the file is of a
 *   newer release, of another application, or no database; METADATA_UNAVAILABLE if it cannot be opened; DISK_FULL; UNSUPPORTED under a Node
 *   without SQLite.
 */
export async function openSqliteMetadataStore(options: SqliteMetadataStoreOptions): Promise<MetadataStore> {
  const {
    clock = systemClock,
    random = systemRandom,
    workerUrl,
    thread = "worker",
    stagedLayouts = false,
    durability: defaultDurability = "strict",
  } = options;
  const logger = guardedLogger(options.logger);
  const tracer = guardedTracer(options.tracer);
  assertWorkerUrl(workerUrl);
  assertNodejsHasSqlite();
  const path = resolve(options.path);
  const layoutPolicy = { stagedLayouts, defaults: resolveLayoutDefaults(options) };
  const { storeFolder, takeOver } = options;
  const view =
    storeFolder === undefined
      ? undefined
      : await viewFolder(path, storeFolder, takeOver).catch(async (error: unknown) => {
          throw await explained(error, storeFolder);
        });
  const init = { path, nowMs: clock.nowMs(), mustExist: view?.mustExist ?? false };
  // A thread can read the system's clock, and no other clock of the caller.
  const threadHasClock = thread === "caller" || clock.nowMs === systemClock.nowMs;
  const connect: Connect = (role) =>
    thread === "caller" ? inThreadClient({ ...init, role }, clock) : new WorkerClient({ ...init, role }, workerUrl);
  const { writer, reader } = await openBoth(connect).catch(async (error: unknown) => {
    if (!AshlarError.is(error, "DISK_FULL")) throw error;
    logger.warn(
      { path },
      "the disk is full: the metadata is opened without a file for its log's index, by this process alone",
    );
    return await openAlone(connect);
  });
  logger.debug({ path }, "metadata file opened");
  const request: AskWorker = (client, { name, input, durability, names = [] }) =>
    client.request({
      ...{ name, input: input as SqlOperationInput<SqlOperationName>, durability, names },
      ...{
        nowMs: threadHasClock ? undefined : clock.nowMs(),
        operationId: client === writer ? newId(clock, random) : "",
      },
    });
  /** What `ping` fails with once the store takes no more writes. */
  let stopped: AshlarError | undefined;
  const direct: Pick<SqlExecutor, "execute"> = {
    execute: async (name, input, options) => {
      if (name === "checkIntegrity" && reader !== writer) return (await checkApart(connect, request)) as never;
      const rules = rulesOfSql(name);
      const client = rules.kind === "read" ? reader : writer;
      const durability = rules.durability?.(input) ?? defaultDurability;
      if (name === "ping" && stopped !== undefined) throw stopped;
      const names = namesOf(methodOf(name), input, options);
      return (await request(client, { name, input, durability, names }).catch((error: unknown): never => {
        if (AshlarError.is(error) && error.details.stopped === "true") stopped ??= aboutStore(error);
        throw error;
      })) as never;
    },
  };
  const steps = view && new DatabaseSteps({ folder: view.folder, executor: direct, clock, logger });
  const executor: SqlExecutor = {
    execute: async (name, input, options) => {
      if (steps !== undefined && rulesOfSql(name).namesChunks?.(input) === true) await steps.beforeWrite();
      return (await direct.execute(name, input, options)) as never;
    },
    async close() {
      await steps?.atClose();
      // The writer closes last: the last connection to close removes the log.
      await reader.close();
      await writer.close();
    },
  };
  if (view !== undefined) {
    try {
      if (options.takeOver !== undefined) await executor.execute("acceptDatabase", { keepOlder: true });
      const mark = await executor.execute("databaseMark", undefined);
      await rememberDatabase(view, mark, { nowMs: clock.nowMs(), logger });
    } catch (error) {
      await executor.close();
      throw error;
    }
  }
  const capabilities = Object.freeze({ persistent: true, sharedByProcesses: true });
  const traced = tracedExecutor(executor, { tracer, system: "sqlite", kind: "client" });
  return checkedMetadataStore(createSqlMetadataStore({ executor: traced, capabilities, layoutPolicy }));
}

/**
 * The index of the log is a file too, and a full disk has no room for it: then one connection has it in memory, and does everything. It excludes
 * other processes until the store is closed. So reads need no room, and writes work again once there is some.
 */
async function openAlone(connect: Connect): ReturnType<typeof openBoth> {
  const alone = connect("alone");
  try {
    await alone.open();
    return { writer: alone, reader: alone };
  } catch (error) {
    await alone.stop();
    throw error;
  }
}

/** The error that stopped the store, without the outcome of the write that got it. */
function aboutStore({ code, message, cause, details }: AshlarError): AshlarError {
  const { outcome: _, ...rest } = details;
  return new AshlarError(code, message, { cause, details: rest });
}

/** The writer opens first: it makes the tables that the reader needs. */
async function openBoth(connect: Connect): Promise<{ readonly writer: SqliteClient; readonly reader: SqliteClient }> {
  const writer = connect("writer");
  const reader = connect("reader");
  try {
    await writer.open();
    await reader.open();
    return { writer, reader };
  } catch (error) {
    await Promise.all([reader.stop(), writer.stop()]);
    throw error;
  }
}

/** Uses a connection of its own, in a thread of its own where there are threads: a pass over the whole file must keep no reader waiting. */
async function checkApart(connect: Connect, request: AskWorker): Promise<unknown> {
  const checker = connect("reader");
  try {
    await checker.open();
    return await request(checker, { name: "checkIntegrity", input: undefined, durability: "os" });
  } catch (error) {
    // The damage is so deep that the examination itself cannot go on.
    if (AshlarError.is(error, "METADATA_CORRUPT")) return [error.message];
    throw error;
  } finally {
    await checker.close();
  }
}
