import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { MetadataStore } from "@ashlar/sdk/ports";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestSchema, type TestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./index.ts";

const TIMEOUT_MS = 500;

let schema: TestSchema;
let pool: pg.Pool;
let store: MetadataStore;
let pids: number[] = [];

/** Stops the server's processes behind the store's connections, or lets them go on. */
function signal(name: "STOP" | "CONT"): void {
  if (pids.length > 0) execFileSync("kill", [`-${name}`, ...pids.map(String)]);
}

/** @returns false if the server's processes do not run on this machine. */
async function freeze(): Promise<boolean> {
  const { rows } = await pool.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1", [schema.name]);
  const found = rows.map((row: { pid: number }) => row.pid);
  const names = await Promise.all(found.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
  if (!names.every((name) => name.startsWith("postgres"))) return false;
  pids = found;
  signal("STOP");
  return true;
}

function thaw(): void {
  signal("CONT");
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
