import { DatabaseSync } from "node:sqlite";
import type { MetadataStore } from "@ashlar/sdk/ports";
import { createTestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "../postgres/index.ts";
import { createSqliteSubject } from "../sqlite/testing/sqlite-subject.ts";

/** The second channel: reads and writes a database behind its store's back. */
export interface RawDatabase {
  query(sql: string, params?: readonly unknown[]): Promise<ReadonlyArray<Record<string, unknown>>>;
}

/** A store, and its database. */
export interface RawSubject {
  readonly store: MetadataStore;
  readonly raw: RawDatabase;
  dispose(): Promise<void>;
}

async function createSqlite(): Promise<RawSubject> {
  const subject = await createSqliteSubject();
  const file = new DatabaseSync(subject.path);
  return {
    store: subject.store,
    raw: {
      query: async (sql, params = []) =>
        file.prepare(sql.replaceAll(/\$(\d)/g, "?$1")).all(...(params as string[])) as Record<string, unknown>[],
    },
    async dispose() {
      file.close();
      await subject.dispose();
    },
  };
}

async function createPostgres(): Promise<RawSubject> {
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

/** The value with one bit flipped. */
export function flipBit(value: unknown, bit: number): unknown {
  if (typeof value === "string") {
    // Stays text: a lower bit of an ASCII character.
    const at = (bit >> 3) % value.length;
    return value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1);
  }
  const bytes = Uint8Array.from(value as Uint8Array);
  const at = (bit >> 3) % bytes.byteLength;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  return Buffer.from(bytes);
}

/** One of each database. */
export const RAW_SUBJECTS: Readonly<Record<string, () => Promise<RawSubject>>> = {
  sqlite: createSqlite,
  postgres: createPostgres,
};
