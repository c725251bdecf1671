import { join } from "node:path";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import type { MetadataStore } from "@ashlar/sdk/ports";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { createPostgresSchema, type PostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";

const BUCKET = "restored";
const LATER = { bucket: BUCKET, key: "later" };
const SIZE = 100_000;
const NEVER_MS = 3_600_000;

function open({ url }: PostgresSchema): Promise<MetadataStore> {
  return openPostgresMetadataStore({ pool: () => new pg.Pool({ connectionString: url }) });
}

const nameOf = ({ url }: PostgresSchema): string => /search_path=(\w+)/.exec(decodeURIComponent(url))?.[1] ?? "";

/** Has the effect of a dump that is restored into another schema. */
async function copySchema(from: PostgresSchema, to: PostgresSchema): Promise<void> {
  await from.query(`DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '${nameOf(from)}' LOOP
      EXECUTE format('CREATE TABLE ${nameOf(to)}.%I (LIKE ${nameOf(from)}.%I INCLUDING ALL)', name, name);
      EXECUTE format('INSERT INTO ${nameOf(to)}.%I OVERRIDING SYSTEM VALUE SELECT * FROM ${nameOf(from)}.%I', name, name);
    END LOOP; END $$`);
}

describe.each([0, 1, 2])("a PostgreSQL that is put back after %i collections", (collections) => {
  test("deletes nothing of what came later, on no node, however often it collects", async () => {
    await using folder = await createTempFolder();
    const [live, copy] = [await createPostgresSchema(), await createPostgresSchema()];
    const withCluster = async (schema: PostgresSchema, use: (cluster: TestCluster) => Promise<void>): Promise<void> => {
      const metadata = await open(schema);
      // In the copy the nodes still run; a real copy is restored much later.
      for (const { nodeId } of (await metadata.clusterSnapshot()).nodes) await metadata.stopNode(nodeId);
      const cluster = await startTestCluster({
        metadata,
        nodePath: (nodeId) => join(folder.path, nodeId),
        gateway: { maintenance: { collectIntervalMs: NEVER_MS, repairIntervalMs: NEVER_MS } },
      });
      try {
        await use(cluster);
      } finally {
        await cluster.close();
        await metadata.close();
      }
    };
    const put = async ({ gateway }: TestCluster, key: string, seed: number): Promise<void> => {
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield testBytes(SIZE, seed);
      };
      await gateway.engine.putObject({ bucket: BUCKET, key, attributes: {} }, body());
    };
    const collect = (cluster: TestCluster): Promise<unknown> => cluster.collect({ claimTtlMs: 0, graceMs: 0 });

    await withCluster(live, async (cluster) => {
      await cluster.gateway.engine.createBucket(BUCKET);
      await put(cluster, "first", 1);
      await collect(cluster);
      await copySchema(live, copy);
      await put(cluster, LATER.key, 2);
      for (let round = 0; round < collections; round++) await collect(cluster);
    });
    await withCluster(copy, async (cluster) => {
      expect(await cluster.metadata.getObject({ ...LATER, key: "first" })).toBeDefined();
      expect(await cluster.metadata.getObject(LATER)).toBeUndefined();
      for (let round = 0; round < 3; round++) {
        expect(await collect(cluster)).toMatchObject({ storesRefusing: 3, orphansDeleted: 0, chunksDeleted: 0 });
      }
    });
    // The newer database is back after all.
    await withCluster(live, async (cluster) => {
      expect(await collect(cluster)).toMatchObject({ storesRefusing: 0, orphansDeleted: 0 });
      const counts = await Promise.all(
        (await cluster.topology.allStores()).map(async ({ store }) => (await store.stats()).chunkCount),
      );
      expect(counts).toEqual([2, 2, 2]);
      expect(await cluster.metadata.getObject(LATER)).toBeDefined();
    });
    await live.drop();
    await copy.drop();
  });
});
