import type { RawSubject } from "../../../internal/raw-subject.ts";
import { createTestSchema } from "../../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "../index.ts";

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
