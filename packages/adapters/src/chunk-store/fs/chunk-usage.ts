import type { Clock } from "@ashlar/sdk/ports";

/** Chunks of one leaf folder, as a scan found them. */
export interface LeafUsage {
  readonly chunkCount: number;
  readonly bytesUsed: number;
}

/** The result of a change that added and removed nothing. */
export const UNCHANGED: LeafUsage = Object.freeze({ chunkCount: 0, bytesUsed: 0 });

/** How {@link ChunkUsage} looks at the disk. Keys are the first four hex digits of the chunk ids in a leaf folder. */
export interface UsageScanner {
  leafKeys(): AsyncIterable<string>;
  /** A folder that does not exist has no chunks. */
  scan(leafKey: string): Promise<LeafUsage>;
}

const RESCAN_PAUSE_MS = 2;

/**
 * Counts chunks and bytes: one walk over the disk, kept up to date by the changes this process makes.
 *
 * Changes in a counted leaf folder are added to the totals; changes in a folder that is not counted yet are seen by the walk later. A folder that
 * changes during its scan is scanned again. Changes by other processes show up only after the store is opened again.
 */
export class ChunkUsage {
  readonly #scanner: UsageScanner;
  readonly #clock: Clock;
  readonly #changing = new Map<string, number>();
  readonly #changedUncounted = new Set<string>();
  readonly #counted = new Set<string>();
  #complete = false;
  #stopped = false;
  #chunkCount = 0;
  #bytesUsed = 0;
  #walk: Promise<void> | undefined;

  constructor(scanner: UsageScanner, clock: Clock) {
    this.#scanner = scanner;
    this.#clock = clock;
  }

  /** Runs `change`, which adds or removes a chunk with this id and returns by how much it changed the totals. */
  async change<T extends LeafUsage>(id: string, change: () => Promise<T>): Promise<T> {
    const key = id.slice(0, 4);
    const counted = this.#complete || this.#counted.has(key);
    if (!counted) this.#changedUncounted.add(key);
    this.#changing.set(key, (this.#changing.get(key) ?? 0) + 1);
    try {
      const delta = await change();
      if (counted) {
        this.#chunkCount += delta.chunkCount;
        this.#bytesUsed += delta.bytesUsed;
      }
      return delta;
    } finally {
      const left = (this.#changing.get(key) ?? 1) - 1;
      if (left === 0) this.#changing.delete(key);
      else this.#changing.set(key, left);
    }
  }

  /** Starts the walk if none has run; a walk that failed is started again. */
  walk(): Promise<void> {
    this.#walk ??= this.#count().catch((error: unknown) => {
      this.#walk = undefined;
      throw error;
    });
    return this.#walk;
  }

  /** Waits for the walk, then returns the totals. */
  async totals(): Promise<LeafUsage> {
    await this.walk();
    // A file that was damaged on the disk may be removed with another size than it was added with.
    return { chunkCount: Math.max(0, this.#chunkCount), bytesUsed: Math.max(0, this.#bytesUsed) };
  }

  /** Ends a walk that is under way, and waits for its end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#walk?.catch(() => {});
  }

  async #count(): Promise<void> {
    for await (const key of this.#scanner.leafKeys()) {
      if (this.#stopped) return;
      await this.#countLeaf(key);
    }
    // Folders that were made after their parent had been listed.
    for (let [key] = this.#changedUncounted; key !== undefined; [key] = this.#changedUncounted) {
      if (this.#stopped) return;
      await this.#countLeaf(key);
    }
    this.#complete = true;
    this.#counted.clear();
  }

  async #countLeaf(key: string): Promise<void> {
    if (this.#counted.has(key)) return;
    for (;;) {
      if (this.#stopped) return;
      this.#changedUncounted.delete(key);
      const found = this.#changing.has(key) ? undefined : await this.#scanner.scan(key);
      if (found !== undefined && !this.#changing.has(key) && !this.#changedUncounted.has(key)) {
        this.#chunkCount += found.chunkCount;
        this.#bytesUsed += found.bytesUsed;
        this.#counted.add(key);
        return;
      }
      await this.#clock.sleep(RESCAN_PAUSE_MS);
    }
  }
}
