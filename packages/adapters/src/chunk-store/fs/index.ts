import { resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  checkedChunkStore,
  DURABILITIES,
  type Durability,
  guardedLogger,
  guardedTracer,
  type Logger,
  type OpeningChunkStore,
  type ScrubbingChunkStore,
  type StreamingChunkStore,
  systemClock,
  type Tracer,
} from "@ashlar/sdk/ports";
import { tracedChunkStore } from "@ashlar/sdk/tracing";
import { makeFolderDurably } from "../../internal/durable-file.ts";
import { closeToOthers } from "../../internal/private-files.ts";
import { assertFolderPath } from "../../internal/store-folder.ts";
import { ChunkNames, createOwner, type Owner, readBootId } from "./chunk-names.ts";
import { ChunkUsage } from "./chunk-usage.ts";
import { ClaimClock } from "./claim-clock.ts";
import { type FileSystem, nodejsFileSystem, toStoreError } from "./file-system.ts";
import { FolderSync, LeafFolders } from "./folder-sync.ts";
import { FsChunkStore } from "./fs-chunk-store.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { ensureFormat, readClaimFloor, rememberDatabase } from "./store-files.ts";
import { BadEntries, DamagedChunks, StoreHealth, watchHome } from "./store-health.ts";
import { SyncedChunks } from "./synced-chunks.ts";
import { createUsageScanner } from "./walk-chunks.ts";
import { fsSteps, StreamBuffers } from "./write-chunk.ts";

export { makeStoreFolder } from "../../internal/store-folder.ts";
export type { FileSystem } from "./file-system.ts";
export { rebuildStoreFiles } from "./store-files.ts";

/** Options of {@link openFsChunkStore}. */
export interface FsChunkStoreOptions {
  /** Folder of the store; made if it does not exist. A relative path starts at the process's working directory at the call. */
  readonly path: string;
  /** When writes are acknowledged unless a call says otherwise; default `strict`, because an acknowledged write should survive. */
  readonly durability?: Durability | undefined;
  /** Largest chunk in bytes, 1 to 1 GiB; default 64 MiB, as for a storage node. */
  readonly chunkMaxBytes?: number | undefined;
  /** Bytes of the disk that puts leave free for other data on it, such as the metadata that a delete writes; default 0. */
  readonly reserveBytes?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Logs quarantined chunks, swept leftovers and failed syncs; default silent. */
  readonly logger?: Logger | undefined;
  /** Makes a span for each call, and for each step of a write on its files. Default: none. */
  readonly tracer?: Tracer | undefined;
  /** The file system to use; default Node's. */
  readonly fileSystem?: FileSystem | undefined;
}

/**
 * Opens a chunk store in a folder of this machine, and creates it where there is none.
 *
 * There is one file per chunk under `chunks/ab/cd/<sha256>`, written to a temporary file in `chunks/tmp` and renamed. Block checksums behind the
 * payload guard every read, ranges too. Damaged files move to `quarantine/`. Leftovers of crashes are swept in the background after the opening.
 * Several processes may have one folder open; `stats()` then counts the changes of another process only after the next opening.
 *
 * @throws {AshlarError} INVALID_ARGUMENT, STORE_INCOMPATIBLE (written by a newer version, or not a chunk store), DISK_FULL,
 *   NODE_UNAVAILABLE (the folder cannot be used; see the cause).
 */
export async function openFsChunkStore(
  options: FsChunkStoreOptions,
): Promise<StreamingChunkStore & OpeningChunkStore & ScrubbingChunkStore> {
  const checked = checkOptions(options); // now: a relative path starts at the working directory at the call
  const owner = await createOwner();
  try {
    return await open(options, checked, owner);
  } catch (error) {
    owner.release();
    throw toStoreError(error);
  }
}

interface CheckedOptions {
  readonly root: string;
  readonly durability: Durability;
  readonly chunkMaxBytes: number;
}

function checkOptions(options: FsChunkStoreOptions): CheckedOptions {
  const { path, durability = "strict", chunkMaxBytes = LIMITS.CHUNK_MAX_BYTES_DEFAULT } = options;
  assertFolderPath(path);
  if (!DURABILITIES.includes(durability)) {
    throw new AshlarError("INVALID_ARGUMENT", "durability is strict, batched or os");
  }
  const maxBytes = LIMITS.CHUNK_MAX_BYTES;
  if (!(Number.isSafeInteger(chunkMaxBytes) && chunkMaxBytes >= 1 && chunkMaxBytes <= maxBytes)) {
    throw new AshlarError("INVALID_ARGUMENT", `chunkMaxBytes is an integer from 1 to ${maxBytes}`);
  }
  return { root: resolve(path), durability, chunkMaxBytes };
}

/** Closed to others one by one: the folder above may hold other things too, and then stays as it is. */
const PRIVATE_PARTS: readonly string[] = ["chunks", "quarantine"];

async function open(
  options: FsChunkStoreOptions,
  { root, durability, chunkMaxBytes }: CheckedOptions,
  owner: Owner,
): Promise<StreamingChunkStore & OpeningChunkStore & ScrubbingChunkStore> {
  const { clock = systemClock, fileSystem = nodejsFileSystem, reserveBytes = 0 } = options;
  const logger = guardedLogger(options.logger);
  const tracer = guardedTracer(options.tracer);
  await makeFolderDurably(fileSystem, root);
  await closeToOthers(root, PRIVATE_PARTS);
  const folder = { fileSystem, root, ownerToken: owner.token };
  await ensureFormat(folder);
  const claimClock = new ClaimClock(clock, await readClaimFloor(folder, await readBootId(), clock.nowMs()));
  const assertHome = await watchHome(fileSystem, root);
  const names = new ChunkNames(root, owner.token);
  const badEntries = new BadEntries({ root, logger });
  const health = new StoreHealth(logger);
  const folderSync = new FolderSync(fileSystem);
  const onFailure = (error: unknown): void => health.stop(error, "a folder of the chunk store could not be synced");
  const folders = new LeafFolders({ fileSystem, logger, names, folderSync, assertHome, onFailure });
  const walked = { fileSystem, clock, logger, names, owner, badEntries };
  const usage = new ChunkUsage(createUsageScanner(walked), clock);
  const store = new FsChunkStore(
    {
      ...{ ...walked, claimClock, assertHome, health, folders, usage, reserveBytes },
      damaged: new DamagedChunks(),
      locks: new KeyedLock(),
      synced: new SyncedChunks(),
      buffers: new StreamBuffers(),
      meetDatabase: rememberDatabase(folder),
      step: fsSteps(tracer),
    },
    { durability, chunkMaxBytes },
  );
  // In the background: counting a large store takes long, and nothing but stats() needs it. It sweeps leftovers on its way.
  usage.walk().catch((error: unknown) => logger.warn({ error }, "counting the chunks failed; stats() tries again"));
  const checked = checkedChunkStore(store);
  return tracer === undefined ? checked : tracedChunkStore(checked, { tracer });
}
