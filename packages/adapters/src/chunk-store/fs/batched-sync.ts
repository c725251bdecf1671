import type { FileHandle } from "node:fs/promises";
import type { Clock } from "@ashlar/sdk/ports";
import { mapConcurrent } from "../../internal/map-concurrent.ts";
import type { LeafFolders } from "./folder-sync.ts";

/** How long the first write of a batch waits: well inside the promised 100 ms, which the sync itself must fit into too. */
const GATHER_MS = 20;
/** A batch is synced early at this size; bounds the open files. */
const BATCH_MAX = 64;
const SYNC_CONCURRENCY = 4;

interface UnsyncedChunk {
  readonly handle: FileHandle;
  readonly leaf: string;
}

/** Syncs acknowledged chunks in the background (`batched` durability). */
export class BatchedSync {
  readonly #clock: Clock;
  readonly #folders: LeafFolders;
  readonly #onFailure: (error: unknown) => void;
  #waiting: UnsyncedChunk[] = [];
  #hurry: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(clock: Clock, folders: LeafFolders, onFailure: (error: unknown) => void) {
    this.#clock = clock;
    this.#folders = folders;
    this.#onFailure = onFailure;
  }

  /** Takes over a chunk file's handle: syncs it and its folder, then closes it. */
  add(chunk: UnsyncedChunk): void {
    this.#waiting.push(chunk);
    if (this.#hurry === undefined) {
      this.#hurry = new AbortController();
      this.#running = this.#running.then(() => this.#gatherAndSync(this.#hurry as AbortController));
    } else if (this.#waiting.length >= BATCH_MAX) {
      this.#hurry.abort();
    }
  }

  /** Syncs what waits now; resolves when it is done (or has been reported as failed). */
  async drain(): Promise<void> {
    this.#hurry?.abort();
    await this.#running;
  }

  async #gatherAndSync(hurry: AbortController): Promise<void> {
    // An abort only means "now"; see drain().
    await this.#clock.sleep(GATHER_MS, { signal: hurry.signal }).catch(() => {});
    const batch = this.#waiting;
    this.#waiting = [];
    this.#hurry = undefined;
    try {
      await mapConcurrent(batch, SYNC_CONCURRENCY, ({ handle }) => handle.datasync());
      const leaves = [...new Set(batch.map(({ leaf }) => leaf))];
      await mapConcurrent(leaves, SYNC_CONCURRENCY, (leaf) => this.#folders.sync(leaf));
    } catch (error) {
      this.#onFailure(error);
    } finally {
      await Promise.allSettled(batch.map(({ handle }) => handle.close()));
    }
  }
}
