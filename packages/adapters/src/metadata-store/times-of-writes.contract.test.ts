/** A write that waits for another writer gets a time from after the wait: otherwise the times of an object could go back. */
import { DatabaseSync } from "node:sqlite";
import type { MetadataStore, ObjectInfo } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { createTestSchema } from "../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./postgres/index.ts";
import { lockStatements } from "./postgres/postgres-session.ts";
import { createSqliteSubject } from "./sqlite/testing/sqlite-subject.ts";

const AT = { bucket: "case-bucket", key: "k" };
const WRITE = { ...AT, attributes: {}, durability: "strict" } as const;

type Write = (store: MetadataStore) => Promise<() => Promise<ObjectInfo>>;

const WRITES: readonly (readonly [name: string, Write])[] = [
  [
    "a put",
    async (store) => () =>
      store.commitObject({ ...WRITE, sizeBytes: 1, etag: "x", content: { inline: new Uint8Array(1) } }),
  ],
  [
    "a completed upload",
    async (store) => {
      const { uploadId } = await store.createUpload(WRITE);
      const part = { uploadId, partNumber: 1, sizeBytes: 0, etag: "x" };
      await store.putPart({ ...part, content: { chunks: [] } });
      return () => store.completeUpload({ uploadId, parts: [part] });
    },
  ],
  [
    "a copy",
    async (store) => {
      await store.commitObject({
        ...WRITE,
        key: "source",
        sizeBytes: 0,
        etag: "x",
        content: { inline: new Uint8Array() },
      });
      return () => store.copyObject({ ...AT, sourceBucket: AT.bucket, sourceKey: "source" });
    },
  ],
];

describe.each(WRITES)("%s that waited for another writer is not older than the end of the wait", (_, prepare) => {
  test("PostgreSQL", async () => {
    const schema = await createTestSchema();
    const pool = schema.createPool();
    const store = await openPostgresMetadataStore({ pool: () => schema.createPool({ max: 2 }) });
    const other = await pool.connect();
    await store.createBucket(AT.bucket);
    const write = await prepare(store);
    await other.query("BEGIN");
    for (const lock of lockStatements({ objects: [AT], buckets: [] })) await other.query(lock);
    const writing = write();
    const waiting = `SELECT count(*) AS count FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE locktype = 'advisory' AND NOT granted AND application_name = $1`;
    const waiterCount = async (): Promise<number> => Number((await pool.query(waiting, [schema.name])).rows[0].count);
    await expect.poll(waiterCount, { timeout: 20_000 }).toBe(1);
    const { rows } = await other.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms");
    await other.query("COMMIT");
    expect((await writing).createdAtMs).toBeGreaterThanOrEqual(Number(rows[0].now_ms));
    other.release();
    await Promise.all([store.close(), pool.end()]);
    await schema.drop();
  });

  test("SQLite", async () => {
    const subject = await createSqliteSubject();
    await subject.store.createBucket(AT.bucket);
    const write = await prepare(subject.store);
    const other = new DatabaseSync(subject.path);
    other.exec("BEGIN IMMEDIATE");
    const writing = write();
    // The other writer has the file for longer than a tick of the clock.
    const askedAtMs = Date.now();
    await expect.poll(() => Date.now()).toBeGreaterThan(askedAtMs + 1);
    const endMs = Date.now();
    other.exec("COMMIT");
    expect((await writing).createdAtMs).toBeGreaterThanOrEqual(endMs);
    other.close();
    await subject.dispose();
  });
});
