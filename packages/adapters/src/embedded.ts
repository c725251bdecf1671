import { join, resolve } from "node:path";
import type { OpenedSeat, RetryPolicy, Seat, SeatInstruments } from "@ashlar/sdk";
import { collect, createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import {
  checkOptions,
  type Durability,
  guardedLogger,
  type Logger,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import { openFsChunkStore } from "./chunk-store/fs/index.ts";
import { nodeCryptoHasher } from "./hash/node-crypto.ts";
import { assertFolderPath, makeStoreFolder } from "./internal/store-folder.ts";
import { diskRoom } from "./metadata-store/sqlite/disk-reserve.ts";
import { openSqliteMetadataStore } from "./metadata-store/sqlite/index.ts";
import { assertWorkerUrl } from "./metadata-store/sqlite/worker-thread.ts";

/** Options of the embedded seat. */
export interface EmbeddedOptions {
  /** Folder of the store; made if it is missing. Several processes may open one folder. */
  readonly path: string;
  /** When a write is acknowledged; default `strict`. */
  readonly durability?: Durability | undefined;
  /** Objects up to this many bytes live in their metadata row; default INLINE_MAX_BYTES. */
  readonly inlineMaxBytes?: number | undefined;
  /** How long an uploaded chunk is kept for its commit, and how long `collect()` leaves new data alone, in ms; default CLAIM_TTL_MS. */
  readonly claimTtlMs?: number | undefined;
  /** How long `collect()` keeps what was deleted or replaced, in ms, so that running reads can finish; default COLLECT_GRACE_MS. */
  readonly collectGraceMs?: number | undefined;
  /** How long calls wait for a database that another process holds; default RETRY_FOR_MS. */
  readonly retry?: RetryPolicy | undefined;
  /** Default: logs nothing. */
  readonly logger?: Logger | undefined;
  /** File of the worker's code, `@ashlar/adapters/sqlite-worker` as it was bundled; only bundled apps need it. Default: next to this module. */
  readonly workerUrl?: URL | undefined;
}

/**
 * The embedded seat: the whole store in this process, chunks as files and metadata in SQLite, both below one folder.
 *
 * Layout of the folder: `chunks/` and `format.json` (see `@ashlar/adapters/chunk-store/fs`) and `metadata.sqlite`.
 *
 * @throws {AshlarError} INVALID_ARGUMENT at once for a path that is no text, an invalid amount, a logger without its methods, or a
 *   `workerUrl` that names no file. Nothing is opened before the first call, which fails with INVALID_ARGUMENT if the path is no folder and with
 *   UNSUPPORTED under a Node without `node:sqlite`.
 */
export function embedded(options: EmbeddedOptions): Seat {
  assertFolderPath((options as EmbeddedOptions | undefined)?.path);
  checkOptions(options, {
    ...{ path: "", inlineMaxBytes: "number", claimTtlMs: "number", collectGraceMs: "number" },
    workerUrl: "",
  });
  assertWorkerUrl(options.workerUrl);
  const { retry } = options;
  // All options are read now: before the first call the caller may change its object, and the process may change its folder.
  const logger = guardedLogger(options.logger);
  const taken = { ...options, path: resolve(options.path), retry: retry && { ...retry }, logger };
  return { name: "embedded", open: (instruments) => openEmbedded(taken, instruments) };
}

async function openEmbedded(
  options: EmbeddedOptions & { readonly logger: Logger },
  instruments: SeatInstruments | undefined,
): Promise<OpenedSeat> {
  const { claimTtlMs, inlineMaxBytes, logger } = options;
  const tracer = instruments?.tracer;
  const durability = options.durability ?? "strict";
  await makeStoreFolder(options.path);
  const metadata = await openSqliteMetadataStore({
    path: join(options.path, "metadata.sqlite"),
    storeFolder: options.path,
    logger,
    tracer,
    workerUrl: options.workerUrl,
  });
  // Chunks leave the room that the metadata needs to delete them.
  const { reserveBytes } = diskRoom(options.path);
  const store = await openFsChunkStore({ path: options.path, durability, logger, reserveBytes, tracer }).catch(
    async (error: unknown) => {
      await metadata.close();
      throw error;
    },
  );
  const topology = singleStoreTopology(store);
  const clock = systemClock;
  const engine = createEngine({
    catalog: metadata,
    topology,
    hasher: nodeCryptoHasher,
    clock,
    random: systemRandom,
    logger,
    durability,
    inlineMaxBytes,
    claimTtlMs,
    retry: options.retry,
  });
  return {
    engine,
    clock,
    collect: (call) =>
      collect({ metadata, topology, logger, claimTtlMs, graceMs: options.collectGraceMs, signal: call?.signal }),
    async close() {
      await engine.close();
      await metadata.close();
    },
  };
}
