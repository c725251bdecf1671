import { readFile } from "node:fs/promises";
import { LIMITS } from "@ashlar/sdk/limits";
import type { MetadataStore } from "@ashlar/sdk/ports";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestSchema, type TestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore, type PgClient, type PgResult } from "./index.ts";
import { startCuttingProxy } from "./testing/cutting-proxy.ts";

const TIMEOUT_MS = 500;
/** A limit of statements that no test waits for. */
const FOREVER_MS = 600_000;

let schema: TestSchema;
let pool: pg.Pool;
let store: MetadataStore;
let pids: number[] = [];

/** Stops the server's processes behind the store's connections, or lets them go on. */
function signal(name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // The connection of one may have ended meanwhile, and the process with it.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** @returns false if the server's processes do not run on this machine. */
async function freeze(): Promise<boolean> {
  const { rows } = await pool.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1", [schema.name]);
  const found = rows.map((row: { pid: number }) => row.pid);
  const names = await Promise.all(found.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
  if (!names.every((name) => name.startsWith("postgres"))) return false;
  pids = found;
  signal("SIGSTOP");
  return true;
}

function thaw(): void {
  signal("SIGCONT");
  pids = [];
}

beforeAll(async () => {
  schema = await createTestSchema();
  pool = schema.createPool();
  store = await openPostgresMetadataStore({ pool, statementTimeoutMs: TIMEOUT_MS, retryForMs: 0 });
  await store.createBucket("case-bucket");
});

afterAll(async () => {
  thaw();
  await store.close();
  await pool.end();
  await schema.drop();
});

/** A frozen database never answers; even a very busy machine takes less time than this. */
const HANG_MS = 20_000;

function disposable(opened: MetadataStore): { readonly store: MetadataStore; [Symbol.asyncDispose](): Promise<void> } {
  return { store: opened, [Symbol.asyncDispose]: () => opened.close() };
}

test("a database that is frozen is METADATA_UNAVAILABLE within the time limit, and is used again afterwards", async (context) => {
  for (const call of [
    () => store.ping(),
    () => store.getBucket("case-bucket"),
    () => store.createBucket("other-one"),
  ]) {
    await store.ping();
    if (!(await freeze())) context.skip();
    const startedAtMs = performance.now();
    await expect(call()).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
    expect(performance.now() - startedAtMs).toBeLessThan(HANG_MS);
    thaw();
  }
  expect((await store.getBucket("case-bucket"))?.bucket).toBe("case-bucket");
});

test("a ping of a frozen database fails after 2 s, whatever the time limits of other calls are", async (context) => {
  const patient = await openPostgresMetadataStore({ pool });
  if (!(await freeze())) context.skip();
  const startedAtMs = performance.now();
  await expect(patient.ping()).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
  expect(performance.now() - startedAtMs).toBeLessThan(HANG_MS);
  thaw();
  await patient.close();
});

const HANGS = { code: "METADATA_UNAVAILABLE", retryable: true, details: { reason: "STALLED" } };

describe("with the time limits of a gateway", () => {
  test("calls end when a database answers nothing, and later ones without waiting for it", {
    timeout: 4 * HANG_MS,
  }, async () => {
    const proxy = await startCuttingProxy(process.env.DATABASE_URL ?? "");
    await using patient = disposable(
      await openPostgresMetadataStore({
        pool: () => schema.createPool({ connectionString: proxy.url }),
        statementTimeoutMs: FOREVER_MS,
      }),
    );
    try {
      await patient.store.ping();
      proxy.freeze();
      const calls = [() => patient.store.getBucket("case-bucket"), () => patient.store.createBucket("while-frozen")];
      const atOnce = Array.from({ length: 20 }, (_, index) => calls[index % 2]?.());
      for (const outcome of await Promise.allSettled(atOnce))
        expect(outcome).toMatchObject({ status: "rejected", reason: HANGS });
      for (const call of [...calls, ...calls]) await expect(call()).rejects.toMatchObject(HANGS);
      proxy.thaw();
      await expect
        .poll(() => patient.store.getBucket("case-bucket").catch(() => undefined), { timeout: HANG_MS })
        .toBeDefined();
    } finally {
      proxy.cutAll();
      await proxy.close();
    }
  });

  test("a long statement of a database that answers others goes on", { timeout: 2 * HANG_MS }, async () => {
    await using patient = disposable(await openPostgresMetadataStore({ pool, statementTimeoutMs: FOREVER_MS }));
    const blocker = await pool.connect();
    await blocker.query("BEGIN; LOCK TABLE buckets");
    const slow = patient.store.createBucket("slow-one");
    await new Promise((resolve) => setTimeout(resolve, LIMITS.PEER_STALLED_AFTER_MS + 4000));
    await blocker.query("COMMIT");
    blocker.release();
    expect((await slow).bucket).toBe("slow-one");
  });
});

test("a process that is frozen in the middle of a transaction loses its locks", { timeout: 120_000 }, async () => {
  const frozen = schema.createPool({ pipeline: false });
  const clients = new Set<pg.PoolClient>();
  let isFrozen = false;
  /** Sends nothing behind BEGIN and the locks, once it is frozen. */
  const half = async (): Promise<PgClient> => {
    const client = await frozen.connect();
    clients.add(client);
    client.on("error", () => {}); // the database ends it
    return {
      query: (config) =>
        isFrozen && !config.text.startsWith("BEGIN")
          ? new Promise(() => {})
          : (client.query(config) as unknown as Promise<PgResult>),
      release(error) {
        if (isFrozen) return;
        clients.delete(client);
        client.release(error);
      },
      on: (event, listener) => client.on(event, listener),
      removeListener: (event, listener) => client.removeListener(event, listener),
    };
  };
  const events = { on: () => {}, removeListener: () => {}, end: async () => {} };
  const other = await openPostgresMetadataStore({ pool: { connect: half, ...events }, statementTimeoutMs: FOREVER_MS });
  await using patient = disposable(await openPostgresMetadataStore({ pool, statementTimeoutMs: FOREVER_MS }));
  const object = { bucket: "case-bucket", key: "locked" };
  isFrozen = true;
  other.deleteObject(object).catch(() => {});
  const held = async (): Promise<number> =>
    (
      await pool.query("SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = $1", [
        schema.name,
      ])
    ).rows.length;
  await expect.poll(held, { timeout: HANG_MS }).toBe(1);
  expect(await patient.store.deleteObject(object)).toBe(false);
  await expect.poll(held, { timeout: HANG_MS }).toBe(0);
  for (const client of clients) client.release(true);
  await frozen.end();
});
