/**
 * Mutual exclusion by key, first come, first served.
 *
 * Holds one entry per key that is in use and none otherwise. Not reentrant: a holder that asks for its own key waits for itself forever.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` alone among all work under `key`; a failure passes through and frees the key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#tails.get(key) ?? Promise.resolve()).then(work);
    const tail = turn.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, tail);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
