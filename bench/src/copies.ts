/**
 * What counting chunks by their copies costs, and the walk over a lost disk, in SQLite and PostgreSQL. Makes chunk rows of six nodes with three
 * copies, of which a share waits for repair, and prints the time of the whole count and of its slowest page, and the same for the walk. Then a node
 * joins: the walk over the rows that its layout makes outdated, first all of them, then one; and moving them.
 *
 * Run: npm run bench:copies -- [ROWS=1000000] [share that waits for repair=0.01]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import type { MetadataStore, OutdatedChunk } from "@ashlar/sdk/ports";
import pg from "pg";
import { openPostgres } from "./servers/postgres.ts";

const rowCount = Number(process.argv[2] ?? 1_000_000);
const queuedShare = Number(process.argv[3] ?? 0.01);
const NODES = ["n1", "n2", "n3", "n4", "n5", "n6"];
const PAGE_ROWS = 100_000;
const STEP_ROWS = 1000;
const OUTDATED_ROWS = 20_000;

interface Subject {
  readonly name: string;
  readonly store: MetadataStore;
  /** Makes rows, with statements of the database itself. */
  fill(): Promise<void>;
  close(): Promise<void>;
}

async function sqlite(folder: string): Promise<Subject> {
  const path = join(folder, "metadata.sqlite");
  const store = await openSqliteMetadataStore({ path, durability: "os" });
  return {
    ...{ name: "SQLite", store, close: () => store.close() },
    async fill() {
      const file = new DatabaseSync(path);
      file.exec(`BEGIN;
        WITH RECURSIVE counted (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < ${rowCount})
        INSERT INTO chunks (chunk_id, size_bytes, reference_count, state, layout_version)
          SELECT randomblob(32), 1048576, 1, 'live', ${NODES.length} FROM counted;
        INSERT INTO repair_queue (chunk_id, server_id, repair_id, size_bytes, layout_version, created_at_ms)
          SELECT chunk_id, 'n2', lower(hex(randomblob(16))), 1048576, ${NODES.length}, 0 FROM chunks
          LIMIT ${Math.round(rowCount * queuedShare)};
        COMMIT`);
      file.close();
    },
  };
}

async function postgres(databaseUrl: string): Promise<Subject> {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  const store = await openPostgresMetadataStore({ pool });
  return {
    ...{ name: "PostgreSQL", store },
    async fill() {
      await pool.query(`INSERT INTO chunks (chunk_id, size_bytes, reference_count, state, layout_version)
        SELECT sha256(i::text::bytea), 1048576, 1, 'live', ${NODES.length} FROM generate_series(1, ${rowCount}) i`);
      await pool.query(`INSERT INTO repair_queue (chunk_id, server_id, repair_id, size_bytes, layout_version, created_at_ms)
        SELECT chunk_id, 'n2', replace(gen_random_uuid()::text, '-', ''), 1048576, ${NODES.length}, 0 FROM chunks
        LIMIT ${Math.round(rowCount * queuedShare)}`);
      await pool.query("ANALYZE");
    },
    async close() {
      await store.close();
      await pool.end();
    },
  };
}

/** Calls a step until it says that it was the last. @returns the sum of the times and the longest one, in ms. */
async function timed(step: () => Promise<boolean>): Promise<{ readonly allMs: number; readonly longestMs: number }> {
  let [allMs, longestMs] = [0, 0];
  for (let isLast = false; !isLast; ) {
    const startedAtMs = performance.now();
    isLast = await step();
    const ms = performance.now() - startedAtMs;
    allMs += ms;
    longestMs = Math.max(longestMs, ms);
  }
  return { allMs, longestMs };
}

async function measure({ name, store, fill, close }: Subject): Promise<void> {
  for (const nodeId of NODES) await store.registerNode({ nodeId, url: `http://${nodeId}`, softwareVersion: "1" });
  await fill();
  for (const round of [1, 2, 3]) {
    let cursor: string | undefined;
    let chunkCount = 0;
    let shortCount = 0;
    const { allMs, longestMs } = await timed(async () => {
      const page = await store.countCopies({ cursor, limit: PAGE_ROWS });
      chunkCount += page.chunkCount;
      shortCount += page.shortCount;
      cursor = page.nextCursor;
      return cursor === undefined;
    });
    const counted = `${chunkCount} chunks, ${shortCount} of them short of copies`;
    process.stdout.write(
      `${name}, count ${round}: ${allMs.toFixed(0)} ms, slowest page ${longestMs.toFixed(0)} ms: ${counted}\n`,
    );
  }
  const stats = { chunkCount: 1, bytesUsed: 1, bytesFree: 1, bytesTotal: 1 };
  await store.heartbeat({ nodeId: "n1", stats });
  await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1", chunkCount: 0 });
  const walk = await timed(async () => (await store.queueLostCopies({ limit: STEP_ROWS })).isDone);
  process.stdout.write(
    `${name}, walk over a lost disk: ${walk.allMs.toFixed(0)} ms, slowest step ${walk.longestMs.toFixed(0)} ms\n`,
  );
  await moveRows(name, store);
  await close();
}

/** After a change of the layout, as rebalance does, without its questions to nodes. */
async function moveRows(name: string, store: MetadataStore): Promise<void> {
  const { layoutVersion } = await store.registerNode({ nodeId: "n7", url: "http://n7", softwareVersion: "1" });
  const tell = (what: string, { allMs, longestMs }: Awaited<ReturnType<typeof timed>>): void =>
    void process.stdout.write(`${name}, ${what}: ${allMs.toFixed(0)} ms, slowest step ${longestMs.toFixed(0)} ms\n`);
  const found: OutdatedChunk[] = [];
  const walk = async (): Promise<Awaited<ReturnType<typeof timed>>> => {
    found.length = 0;
    let cursor: string | undefined;
    return await timed(async () => {
      const page = await store.listOutdatedChunks({ cursor, limit: OUTDATED_ROWS });
      found.push(...page.chunks);
      cursor = page.nextCursor;
      return cursor === undefined;
    });
  };
  tell("walk over outdated rows, all of them", await walk());
  const moving = found.slice(1);
  let at = 0;
  const moved = await timed(async () => {
    const chunks = moving.slice(at, at + STEP_ROWS);
    await store.advanceLayouts({ layoutVersion, chunks });
    at += STEP_ROWS;
    return at >= moving.length;
  });
  tell("moving them", moved);
  const rest = await walk();
  tell(`walk over outdated rows, with ${found.length} left`, rest);
}

const folder = await mkdtemp(join(process.cwd(), ".bench-"));
const server = await openPostgres(folder);
try {
  await measure(await sqlite(folder));
  await measure(await postgres(await server.createDatabase()));
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
