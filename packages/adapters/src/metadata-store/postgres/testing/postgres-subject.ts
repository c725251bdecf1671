import type { MetadataStoreSubject } from "@ashlar/sdk/testing";
import type { RawSubject } from "../../../internal/raw-subject.ts";
import { createTestSchema } from "../../../internal/test-postgres.ts";
import { openPostgresMetadataStore, type PostgresMetadataStoreOptions } from "../index.ts";

/** A metadata store in a schema of its own. @param options options of the store, and whether its connections pipeline: default true. */
export async function createPostgresSubject({
  pipeline = true,
  ...options
}: Omit<PostgresMetadataStoreOptions, "pool"> & { readonly pipeline?: boolean } = {}): Promise<MetadataStoreSubject> {
  const schema = await createTestSchema();
  const open = (): ReturnType<typeof openPostgresMetadataStore> =>
    openPostgresMetadataStore({ ...options, pool: () => schema.createPool({ pipeline }) });
  let store = await open();
  const others: (typeof store)[] = [];
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    async second() {
      const other = await open();
      others.push(other);
      return other;
    },
    async dispose() {
      await Promise.all([store, ...others].map((one) => one.close()));
      await schema.drop();
    },
  };
}

/** A metadata store with a second connection to its schema. */
export async function createRawPostgres(): Promise<RawSubject> {
  const schema = await createTestSchema();
  const pool = schema.createPool();
  const store = await openPostgresMetadataStore({ pool: () => schema.createPool() });
  return {
    store,
    raw: {
      async query(sql, params = []) {
        const client = await pool.connect();
        try {
          return (await client.query({ text: sql, values: [...params] })).rows as Record<string, unknown>[];
        } finally {
          client.release();
        }
      },
    },
    async dispose() {
      await store.close();
      await pool.end?.();
      await schema.drop();
    },
  };
}
