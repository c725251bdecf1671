import type { Clock, Logger } from "@ashlar/sdk/ports";
import type { KeyedLock } from "../../internal/keyed-lock.ts";
import type { BadEntries } from "./bad-entries.ts";
import type { ChunkNames } from "./chunk-names.ts";
import type { ChunkUsage } from "./chunk-usage.ts";
import type { ClaimClock } from "./claim-clock.ts";
import type { FileSystem } from "./file-system.ts";
import type { LeafFolders } from "./folder-sync.ts";
import type { LeftoverSweep } from "./leftover-sweep.ts";
import type { ServedDatabase } from "./served-database.ts";
import type { StoreHealth } from "./store-health.ts";
import type { StoreHome } from "./store-home.ts";
import type { SyncedChunks } from "./synced-chunks.ts";

/** Runs one step of work on files; where somebody watches, it becomes a span. */
export type FsStep = <T>(name: "write" | "fsync" | "rename" | "fsync_folder", work: () => Promise<T>) => Promise<T>;

/** What one open store is made of; its operations take this. */
export interface FsParts {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly names: ChunkNames;
  /** By chunk id: claim, write and delete of one chunk exclude each other. */
  readonly locks: KeyedLock;
  readonly folders: LeafFolders;
  readonly claimClock: ClaimClock;
  readonly usage: ChunkUsage;
  readonly sweep: LeftoverSweep;
  readonly synced: SyncedChunks;
  readonly database: ServedDatabase;
  readonly badEntries: BadEntries;
  readonly health: StoreHealth;
  readonly home: StoreHome;
  readonly step: FsStep;
  /** Bytes of the disk that chunks leave free. */
  readonly reserveBytes: number;
}
