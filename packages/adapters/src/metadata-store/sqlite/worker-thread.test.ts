import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import type { MetadataStore } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteMetadataStore } from "./index.ts";

let folder: string;
let started: number;
const count = (_worker: Worker): void => void started++;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-threads-"));
  started = 0;
  process.on("worker", count);
});

afterEach(async () => {
  process.off("worker", count);
  await rm(folder, { recursive: true, force: true });
});

const open = (name: string) => openSqliteMetadataStore({ path: join(folder, name) });
const bucketsOf = async (store: MetadataStore): Promise<string[]> =>
  (await store.listBuckets()).map((each) => each.bucket);

test("a store that opens takes over the threads of one that closed, and none of what they held", async () => {
  for (const name of ["bucket-1", "bucket-2", "bucket-3", "bucket-4"]) {
    const store = await open(name);
    await store.createBucket(name);
    expect(await bucketsOf(store)).toEqual([name]);
    await store.close();
    await store.close();
  }
  expect(started).toBeLessThanOrEqual(2);
});

test("a store that opens while another is open has threads of its own", async () => {
  const [one, two] = await Promise.all([open("one"), open("two")]);
  await Promise.all([one.createBucket("one-bucket"), two.createBucket("two-bucket")]);
  expect(await Promise.all([one, two].map(bucketsOf))).toEqual([["one-bucket"], ["two-bucket"]]);
  await Promise.all([one.close(), two.close()]);
});

test("a thread that could not open a file is not used again", async () => {
  await writeFile(join(folder, "letter"), "this is a letter, not a database\n".repeat(500));
  await expect(open("letter")).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  const store = await open("good");
  expect(await bucketsOf(store)).toEqual([]);
  await store.close();
});
