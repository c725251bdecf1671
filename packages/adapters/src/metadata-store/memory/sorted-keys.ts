/** Keys in ascending order with cheap seeks; insertion moves the keys behind it (a memmove: fine up to some 100,000 keys). */
export class SortedKeys {
  readonly #keys: string[] = [];

  /** Index of the first key at or above `key`. */
  seek(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The key at `index`, if there is one. */
  at(index: number): string | undefined {
    return this.#keys[index];
  }

  add(key: string): void {
    const index = this.seek(key);
    if (this.#keys[index] !== key) this.#keys.splice(index, 0, key);
  }

  remove(key: string): void {
    const index = this.seek(key);
    if (this.#keys[index] === key) this.#keys.splice(index, 1);
  }
}
