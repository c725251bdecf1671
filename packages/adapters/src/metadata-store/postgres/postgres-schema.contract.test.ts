import { AshlarError } from "@ashlar/sdk/errors";
import type { MetadataStore, NodeRegistration } from "@ashlar/sdk/ports";
import { virtualNodeToken } from "@ashlar/sdk/ring";
import type pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MIGRATIONS } from "../../internal/sql/schema.ts";
import { createTestSchema, type TestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./index.ts";

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

const registration: NodeRegistration = { nodeId: "n1", url: "http://n1:50051", softwareVersion: "1" };
const stats = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };

async function failureOf(open: Promise<MetadataStore>): Promise<string | undefined> {
  const failure = await open.catch((error: unknown) => error);
  return AshlarError.is(failure) ? failure.code : undefined;
}

test("five processes that migrate one empty database at once all work", async () => {
  const stores = await Promise.all(
    Array.from({ length: 5 }, () => openPostgresMetadataStore({ pool: () => schema.createPool() })),
  );
  await Promise.all(stores.map((store, index) => store.createBucket(`bucket-${index}`)));
  expect(await stores[0]?.listBuckets()).toHaveLength(5);
  expect((await pool.query("SELECT version FROM schema_migrations")).rows).toEqual(
    MIGRATIONS.map(({ version }) => ({ version: String(version) })),
  );
  await Promise.all(stores.map((store) => store.close()));
});

test("a database of a newer release, and one with tables of another application, are refused and left alone", async () => {
  await (await openPostgresMetadataStore({ pool })).close();
  await pool.query("INSERT INTO schema_migrations (version, name, applied_at_ms) VALUES (1000, 'from the future', 0)");
  expect(await failureOf(openPostgresMetadataStore({ pool }))).toBe("STORE_INCOMPATIBLE");
  const other = await createTestSchema();
  const otherPool = other.createPool();
  await otherPool.query("CREATE TABLE chunks (name TEXT)");
  expect(await failureOf(openPostgresMetadataStore({ pool: otherPool }))).toBe("STORE_INCOMPATIBLE");
  const tables = await otherPool.query(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
  );
  expect(tables.rows).toEqual([{ table_name: "chunks" }]);
  await otherPool.end();
  await other.drop();
});

test("a pool that was passed in stays the caller's", async () => {
  const store = await openPostgresMetadataStore({ pool });
  await store.close();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

test("an idle connection that the server ends is replaced without an error", async () => {
  const store = await openPostgresMetadataStore({ pool });
  await store.createBucket("case-bucket");
  const admin = schema.createPool();
  for (let round = 0; round < 3; round++) {
    const sql =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = $1";
    const { rowCount } = await admin.query(sql, [schema.name]);
    expect(rowCount).toBeGreaterThan(0);
    expect(await store.getBucket("case-bucket")).toBeDefined();
  }
  await admin.end();
  await store.close();
});

test("hash_ring_nodes holds the tokens of the ring, 150 for a node of weight 1", async () => {
  const store = await openPostgresMetadataStore({ pool });
  await store.registerNode(registration);
  await store.registerNode({ ...registration, nodeId: "n2", weight: 0.5 });
  const { rows } = await pool.query(
    "SELECT server_id, virtual_node_index, token FROM hash_ring_nodes ORDER BY server_id, virtual_node_index",
  );
  expect(rows.filter((row) => row.server_id === "n1")).toHaveLength(150);
  expect(rows.filter((row) => row.server_id === "n2")).toHaveLength(75);
  for (const row of rows) {
    expect((row.token as Buffer).readBigUInt64BE()).toBe(
      virtualNodeToken(row.server_id, Number(row.virtual_node_index)),
    );
  }
  await store.changeLayout({ weights: { n1: 2, n2: 0.1 } });
  const counts = await pool.query(
    "SELECT server_id, count(*)::int AS count FROM hash_ring_nodes GROUP BY 1 ORDER BY 1",
  );
  expect(counts.rows).toEqual([
    { server_id: "n1", count: 300 },
    { server_id: "n2", count: 15 },
  ]);
  await store.close();
});

test("a registration is a handful of statements, a heartbeat is one", async () => {
  const texts: string[] = [];
  const counting = {
    connect: async () => {
      const client = await pool.connect();
      return {
        query: (config: { text: string }) => {
          texts.push(config.text);
          return client.query(config as never) as never;
        },
        release: (error?: Error | boolean) => client.release(error),
        on: (event: "error", listener: (error: Error) => void) => client.on(event, listener),
        removeListener: (event: "error", listener: (error: Error) => void) => client.removeListener(event, listener),
      };
    },
    end: async () => {},
    on: () => {},
    removeListener: () => {},
  };
  const store = await openPostgresMetadataStore({ pool: counting });
  const measure = async (run: () => Promise<unknown>): Promise<{ statements: number; ms: number }> => {
    texts.length = 0;
    const startedAtMs = performance.now();
    await run();
    return { statements: texts.length, ms: performance.now() - startedAtMs };
  };
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const first: number[] = [];
  for (let index = 0; index < 21; index++) {
    const { statements, ms } = await measure(() => store.registerNode({ ...registration, nodeId: `s${index}` }));
    // One of them reads what is remembered of the node's folder.
    expect(statements).toBeLessThanOrEqual(9);
    first.push(ms);
  }
  const beats: number[] = [];
  for (let index = 0; index < 51; index++) {
    const { statements, ms } = await measure(() => store.heartbeat({ nodeId: "s1", stats }));
    expect(statements).toBe(1);
    beats.push(ms);
  }
  process.stdout.write(
    `registration ${median(first).toFixed(1)} ms, heartbeat ${median(beats).toFixed(1)} ms (medians)\n`,
  );
  await store.close();
});

test("a node is up by the database's clock, whatever the clock of the process says", async () => {
  const clock = { nowMs: () => 0, monotonicMs: () => performance.now(), sleep: async () => {} };
  const store = await openPostgresMetadataStore({ pool, clock });
  await store.registerNode(registration);
  const [node] = (await store.clusterSnapshot()).nodes;
  expect(node?.state).toBe("up");
  expect(node?.registeredAtMs).toBeGreaterThan(1_500_000_000_000);
  await pool.query("UPDATE storage_servers SET last_heartbeat_at_ms = last_heartbeat_at_ms - 31000");
  expect((await store.clusterSnapshot()).nodes[0]?.state).toBe("down");
  await store.close();
});

test("results of finished operations are forgotten after a day", async () => {
  const store = await openPostgresMetadataStore({ pool });
  await store.createBucket("case-bucket");
  const count = async (): Promise<number> =>
    (await pool.query("SELECT count(*)::int AS count FROM finished_operations")).rows[0].count;
  expect(await count()).toBe(1);
  await store.dropReleasedManifests({ graceMs: 0, limit: 1 });
  expect(await count()).toBe(1);
  await pool.query("UPDATE finished_operations SET finished_at_ms = finished_at_ms - 86400001");
  await store.dropReleasedManifests({ graceMs: 0, limit: 1 });
  expect(await count()).toBe(0);
  await store.close();
});
