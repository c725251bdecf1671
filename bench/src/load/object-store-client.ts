/** A body that can be opened any number of times, each time with the same length. */
export interface LoadBody {
  readonly sizeBytes: number;
  /** Slices in order; each is valid until the next is asked for. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * What the load generator drives: any object store with one bucket: Ashlar's seats, or an S3 client.
 *
 * All calls may run at the same time.
 */
export interface ObjectStoreClient {
  /** Writes an object; resolves when the store has acknowledged it. */
  put(key: string, body: LoadBody | Uint8Array): Promise<void>;
  /** Reads a whole object and drops the bytes as they come. @returns how many came. */
  get(key: string): Promise<number>;
  /** Lists all keys with a prefix. @returns how many there are. */
  list(prefix: string): Promise<number>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}
