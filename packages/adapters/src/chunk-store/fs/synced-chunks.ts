/** Ids kept before the set starts over; about 10 MB. */
const IDS_MAX = 65_536;

/**
 * Chunks that this store has synced, or found synced, since it was opened.
 *
 * A chunk that is already there may have been written without a sync (another durability mode, or another process that is between its rename
 * and its fsync), so the first strict claim of it syncs it. This set saves the disk flush from the second one on. Forgetting is always safe.
 */
export class SyncedChunks {
  readonly #ids = new Set<string>();
  /** Files (device and inode) whose sync failed. The kernel may mark their pages clean since, so a later sync of them proves nothing. */
  readonly #inDoubt = new Set<string>();

  isInDoubt(identity: string): boolean {
    return this.#inDoubt.has(identity);
  }

  doubt(identity: string): void {
    this.#inDoubt.add(identity);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    if (this.#ids.size >= IDS_MAX) this.#ids.clear();
    this.#ids.add(id);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }
}
