import type { MetadataStore } from "@ashlar/sdk/ports";

/** The second channel: reads and writes a database behind its store's back. */
export interface RawDatabase {
  query(sql: string, params?: readonly unknown[]): Promise<ReadonlyArray<Record<string, unknown>>>;
}

/** A store with its database beside it. */
export interface RawSubject {
  readonly store: MetadataStore;
  readonly raw: RawDatabase;
  dispose(): Promise<void>;
}
