import { type Digest, sha256Sync } from "@ashlar/sdk/hash";
import type { CommitObject, CommittedChunk, MetadataStore } from "@ashlar/sdk/ports";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTestSchema, type TestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./index.ts";
import type { PgClient, PgPool, PgQueryConfig, PgResult } from "./postgres-client.ts";
import { lockStatements } from "./postgres-session.ts";
import { type CountingProxy, startCountingProxy } from "./testing/counting-proxy.ts";

const BUCKET = "case-bucket";
const CHUNK_BYTES = 1000;

function inlineCommit(key: string, change: Partial<CommitObject> = {}): CommitObject {
  const content = { inline: new Uint8Array(3) };
  return { bucket: BUCKET, key, sizeBytes: 3, etag: "x", durability: "strict", attributes: {}, content, ...change };
}

/** @param count number of chunks; in all tests, chunks are the same only if the names of their commits are. */
function chunkedCommit(name: string, count: number, change: Partial<CommittedChunk> = {}): CommitObject {
  const chunkIdOf = (index: number): Digest => sha256Sync(new TextEncoder().encode(`${name} ${index}`));
  const chunks = Array.from({ length: count }, (_, index) => ({
    ...{ chunkId: chunkIdOf(index), sizeBytes: CHUNK_BYTES },
    ...change,
  }));
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
  return inlineCommit(name, { sizeBytes, content: { chunks } });
}

let schema: TestSchema;
let pool: pg.Pool;

beforeEach(async () => {
  schema = await createTestSchema();
  pool = schema.createPool();
});

afterEach(async () => {
  await pool.end();
  await schema.drop();
});

/** The rows of a table, read without the store. */
const rowsOf = async (table: string): Promise<unknown[]> => (await pool.query(`SELECT * FROM ${table}`)).rows;

describe("round trips", () => {
  let proxy: CountingProxy;

  beforeEach(async () => {
    proxy = await startCountingProxy(process.env.DATABASE_URL ?? "");
  });

  afterEach(() => proxy.close());

  const open = async (pipeline: boolean): Promise<MetadataStore> => {
    const far = (): pg.Pool => schema.createPool({ connectionString: proxy.url, max: 1, pipeline });
    const store = await openPostgresMetadataStore({ pool: far });
    await store.createBucket(BUCKET);
    await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
    return store;
  };

  const count = async (work: () => Promise<unknown>): Promise<number> => {
    const before = proxy.roundTripCount;
    await work();
    return proxy.roundTripCount - before;
  };

  test("a write of one object takes two, whatever it replaces and however many chunks it has", async () => {
    const store = await open(true);
    const placed = { layoutVersion: 1, missedNodeIds: ["n1"] };
    const commit = async (next: CommitObject): Promise<number> => await count(() => store.commitObject(next));
    expect(await commit(inlineCommit("inline")), "inline").toBe(2);
    expect(await commit(inlineCommit("inline")), "inline over inline").toBe(2);
    for (const chunkCount of [1, 3, 2000]) {
      const next = chunkedCommit(`chunked ${chunkCount}`, chunkCount, placed);
      expect(await commit(next), `${chunkCount} chunks`).toBe(2);
      expect(await commit(next), `${chunkCount} chunks over ${chunkCount}`).toBe(2);
    }
    expect(await commit(inlineCommit("chunked 3")), "inline over chunks").toBe(2);
    const source = { sourceBucket: BUCKET, sourceKey: "chunked 1", bucket: BUCKET };
    expect(await count(() => store.copyObject({ ...source, key: "copy" })), "copy").toBe(2);
    expect(await count(() => store.copyObject({ ...source, key: "inline" })), "copy over inline").toBe(2);
    expect(await count(() => store.moveObject({ ...source, key: "copy" })), "move over chunks").toBe(2);
    expect(await count(() => store.deleteObject({ bucket: BUCKET, key: "copy" })), "delete").toBe(2);
    await store.close();
  });

  test("an upload takes two for its beginning and each part, and three for its end", async () => {
    const store = await open(true);
    const begin = { bucket: BUCKET, key: "k", attributes: {}, durability: "strict" } as const;
    let uploadId = "";
    expect(await count(async () => ({ uploadId } = await store.createUpload(begin)))).toBe(2);
    for (const partNumber of [1, 2]) {
      const { sizeBytes, content } = chunkedCommit(`part ${partNumber}`, 3, { layoutVersion: 1 });
      if (!("chunks" in content)) throw new Error("no chunks");
      const part = { uploadId, partNumber, sizeBytes, etag: `e${partNumber}`, content };
      expect(await count(() => store.putPart(part))).toBe(2);
    }
    const parts = [1, 2].map((partNumber) => ({ partNumber, etag: `e${partNumber}` }));
    expect(await count(() => store.completeUpload({ uploadId, parts }))).toBe(3);
    const stored = await store.getObject({ bucket: BUCKET, key: "k" });
    expect(stored?.info.sizeBytes).toBe(6 * CHUNK_BYTES);
    await store.close();
  });

  test("without pipelining each statement takes one", async () => {
    const store = await open(false);
    expect(await count(() => store.commitObject(inlineCommit("k")))).toBe(4);
    expect(await count(() => store.commitObject(chunkedCommit("k", 3)))).toBe(9);
    await store.close();
  });
});

/** A pool whose statements go by way of `query`. */
function poolWith(query: (client: PgClient, config: PgQueryConfig) => Promise<PgResult>): PgPool {
  return {
    async connect() {
      const client: PgClient = await pool.connect();
      return {
        pipeline: client.pipeline === true,
        query: (config) => query(client, config),
        release: (error) => client.release(error),
        on: (event, listener) => client.on(event, listener),
        removeListener: (event, listener) => client.removeListener(event, listener),
      };
    },
    end: async () => {},
    on: () => {},
    removeListener: () => {},
  };
}

describe("statements that are sent together", () => {
  /** Tables that a commit writes to. */
  const TABLES = ["objects", "manifests", "manifest_parts", "manifest_segments", "chunks", "repair_queue"];
  const everything = async (): Promise<unknown[]> =>
    await Promise.all([...TABLES, "finished_operations"].map((table) => rowsOf(table)));

  test("one that fails in the database leaves nothing of those around it, and the connection is as good as before", async () => {
    const store = await openPostgresMetadataStore({ pool });
    await store.createBucket(BUCKET);
    await store.commitObject(chunkedCommit("k", 3));
    const before = await everything();
    // Of three blocks of chunks the last differs in one size: the first two are written by then, and COMMIT is under way.
    const { content } = chunkedCommit("k", 1, { sizeBytes: CHUNK_BYTES + 1 });
    const others = chunkedCommit("other", 2500).content;
    if (!("chunks" in content && "chunks" in others)) throw new Error("no chunks");
    const chunks = [...others.chunks, ...content.chunks];
    const sizeBytes = chunks.length * CHUNK_BYTES + 1;
    const commit = inlineCommit("k", { sizeBytes, content: { chunks } });
    await expect(store.commitObject(commit)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await everything()).toEqual(before);
    await store.commitObject(inlineCommit("k"));
    expect((await store.getObject({ bucket: BUCKET, key: "k" }))?.info.sizeBytes).toBe(3);
  });

  test.each(["rejects", "throws"])("one that the driver does not send stops the commit: the driver %s", async (how) => {
    let refused = "";
    const refuse = (): Promise<PgResult> => {
      const error = new TypeError("cannot be encoded");
      if (how === "throws") throw error;
      return Promise.reject(error);
    };
    const store = await openPostgresMetadataStore({
      pool: poolWith((client, config) =>
        refused !== "" && config.text.includes(refused) ? refuse() : client.query(config),
      ),
    });
    await store.createBucket(BUCKET);
    const before = await everything();
    for (const table of ["chunks", "manifest_segments", "objects"]) {
      refused = `INSERT INTO ${table}`;
      await expect(store.commitObject(chunkedCommit("k", 3))).rejects.toMatchObject({ code: "INTERNAL" });
      expect(await everything(), table).toEqual(before);
    }
    refused = "";
    await store.commitObject(chunkedCommit("k", 3));
  });

  test("a version that went away under the lock is a conflict: the write is tried again, and releases nothing twice", async () => {
    const looks: string[] = [];
    const store = await openPostgresMetadataStore({
      pool: poolWith(async (client, config) => {
        const result = await client.query(config);
        if (!config.text.includes("LEFT JOIN objects")) return result;
        looks.push(config.text);
        // After the look of the second write, as in a database that ignores advisory locks.
        if (looks.length === 2) await pool.query("DELETE FROM objects");
        return result;
      }),
    });
    await store.createBucket(BUCKET);
    await store.commitObject(chunkedCommit("k", 3));
    await store.commitObject(inlineCommit("k"));
    expect(looks).toHaveLength(3);
    expect(await rowsOf("manifests")).toMatchObject([{ reference_count: "1", released_at_ms: null }]);
    expect((await store.getObject({ bucket: BUCKET, key: "k" }))?.info.sizeBytes).toBe(3);
  });

  test("a commit of more statements than are sent together is complete", async () => {
    const store = await openPostgresMetadataStore({ pool });
    await store.createBucket(BUCKET);
    const count = 40 * 1024;
    await store.commitObject(chunkedCommit("k", count));
    const { rows } = await pool.query("SELECT count(*)::int AS count FROM chunks WHERE reference_count = 1");
    expect(rows).toEqual([{ count }]);
    const stored = await store.getObject({ bucket: BUCKET, key: "k", fromOffset: (count - 1) * CHUNK_BYTES });
    expect(stored).toMatchObject({ page: { chunks: [{ offset: (count - 1) * CHUNK_BYTES }] } });
  });

  test.each([true, false])(
    "a lock that is not given fails the write, and not the next one on its connection (pipelined: %s)",
    async (pipeline) => {
      const one = (): pg.Pool => schema.createPool({ max: 1, pipeline, options: "-c lock_timeout=50ms" });
      // Stores that open take turns, and those of other tests may take longer than the timeout.
      const opened = (): Promise<MetadataStore> => openPostgresMetadataStore({ pool: one, retryForMs: 0 });
      const store = await vi.waitFor(opened, { timeout: 30_000 });
      await store.createBucket(BUCKET);
      const upload = { bucket: BUCKET, key: "k", attributes: {}, durability: "strict" } as const;
      const holder = await pool.connect();
      try {
        await holder.query("BEGIN");
        // Writers share the bucket's lock; a delete of the bucket has it alone.
        for (const lock of lockStatements({ objects: [], buckets: [BUCKET] }))
          await holder.query(lock.replace("_shared", ""));
        for (const write of [() => store.commitObject(inlineCommit("k")), () => store.createUpload(upload)]) {
          await expect(write()).rejects.toMatchObject({ cause: { code: "55P03" } });
          expect(await store.getBucket(BUCKET)).toBeDefined();
        }
      } finally {
        await holder.query("ROLLBACK");
        holder.release();
      }
      await store.commitObject(inlineCommit("k"));
      expect(await rowsOf("uploads")).toEqual([]);
      await store.close();
    },
  );
});
