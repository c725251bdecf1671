import type { MetadataStoreSubject } from "@ashlar/sdk/testing";
import { createTestSchema } from "../../../internal/test-postgres.ts";
import { openPostgresMetadataStore, type PostgresMetadataStoreOptions } from "../index.ts";

/** A metadata store in a schema of its own. */
export async function createPostgresSubject(
  options: Omit<PostgresMetadataStoreOptions, "pool"> = {},
): Promise<MetadataStoreSubject> {
  const schema = await createTestSchema();
  const open = (): ReturnType<typeof openPostgresMetadataStore> =>
    openPostgresMetadataStore({ ...options, pool: () => schema.createPool() });
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
