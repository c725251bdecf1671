import { readFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import type { CommitObject, Durability } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { createSqliteSubject } from "./testing/sqlite-subject.ts";

const BUCKET = "case-bucket";
const inline = new TextEncoder().encode("text");

function commitOf(key: string, durability: Durability = "strict"): CommitObject {
  return { bucket: BUCKET, key, sizeBytes: 4, etag: "x", durability, attributes: {}, content: { inline } };
}

/** Transactions in the write-ahead log: frames whose header gives the size of the database then. https://sqlite.org/fileformat2.html#walformat */
async function countTransactions(path: string): Promise<number> {
  const log = await readFile(`${path}-wal`);
  const pageBytes = log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let count = 0;
  for (let offset = 32; offset + 24 <= log.byteLength; offset += 24 + pageBytes) {
    if (!log.subarray(offset + 8, offset + 16).equals(salt)) break;
    if (log.readUInt32BE(offset + 4) !== 0) count++;
  }
  return count;
}

test("200 commits at once take few transactions, and one that is refused undoes only itself", async () => {
  const subject = await createSqliteSubject();
  const { store } = subject;
  await store.createBucket(BUCKET);
  await store.commitObject(commitOf("taken"));
  const before = await countTransactions(subject.path);
  const condition = { ifNoneMatch: "*" };
  const commits = Array.from({ length: 200 }, (_, index) =>
    store.commitObject({ ...commitOf(index % 10 === 0 ? "taken" : `k${index}`), condition }),
  );
  const results = await Promise.allSettled(commits);
  const transactions = (await countTransactions(subject.path)) - before;
  process.stdout.write(`200 commits at once: ${transactions} transactions\n`);
  expect(transactions).toBeLessThanOrEqual(20);
  const refused = results.flatMap((result) =>
    result.status === "rejected" ? [(result.reason as { code: string }).code] : [],
  );
  expect(refused).toEqual(Array(20).fill("PRECONDITION_FAILED"));
  expect((await store.listObjects({ bucket: BUCKET })).objects).toHaveLength(181);
  await subject.dispose();
});

test("a batched write is synced after its answer, an os write is not", async () => {
  const subject = await createSqliteSubject();
  const { store } = subject;
  await store.createBucket(BUCKET);
  const file = new DatabaseSync(subject.path, { readOnly: true });
  const marks = (): unknown => file.prepare("SELECT mark FROM sync_marks").get()?.mark;
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500));
  await store.commitObject(commitOf("a", "os"));
  await store.commitObject(commitOf("b", "strict"));
  await settle();
  expect(marks()).toBe(0);
  // Where syncs take long, writers wait for them and no sync is postponed; on any disk some syncs are fast enough.
  await expect
    .poll(async () => {
      await Promise.all([commitOf("c", "batched"), commitOf("d", "batched")].map((each) => store.commitObject(each)));
      await settle();
      return marks();
    })
    .toBeGreaterThan(0);
  expect((await store.getObject({ bucket: BUCKET, key: "c" }))?.info.durability).toBe("batched");
  file.close();
  await subject.dispose();
});

test("in the thread of the caller it is synced when the clock of the caller says so, and not before", async () => {
  const sleepers: (() => void)[] = [];
  const clock = {
    nowMs: () => 1_800_000_000_000,
    monotonicMs: () => 0,
    sleep: () => new Promise<void>((resolve) => sleepers.push(resolve)),
  };
  const subject = await createSqliteSubject({ thread: "caller", clock });
  await subject.store.createBucket(BUCKET);
  const file = new DatabaseSync(subject.path, { readOnly: true });
  const marks = (): unknown => file.prepare("SELECT mark FROM sync_marks").get()?.mark;
  await subject.store.commitObject(commitOf("a", "batched"));
  await subject.store.commitObject(commitOf("b", "batched"));
  expect([marks(), sleepers.length]).toEqual([0, 1]);
  sleepers.pop()?.();
  await expect.poll(marks).toBe(1);
  expect(sleepers).toHaveLength(0);
  file.close();
  await subject.dispose();
});

test("the app's event loop goes on while the store works hard", async () => {
  const subject = await createSqliteSubject();
  const { store } = subject;
  await store.createBucket(BUCKET);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  delay.enable();
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 200 }, (_, index) => store.commitObject(commitOf(`k${index}`))));
  }
  delay.disable();
  clearInterval(timer);
  process.stdout.write(
    `2,000 commits: event loop p99 ${Math.round(delay.percentile(99) / 1e6)} ms, ${ticks} timer ticks\n`,
  );
  expect(ticks).toBeGreaterThan(20);
  await subject.dispose();
});

test("a process ends by itself though its store was never closed", async () => {
  const { execFile } = await import("node:child_process");
  const subject = await createSqliteSubject();
  const code = `import { openSqliteMetadataStore } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    const store = await openSqliteMetadataStore({ path: ${JSON.stringify(subject.path)} });
    await store.createBucket("from-elsewhere");`;
  await new Promise<void>((resolve, reject) => {
    const args = ["--conditions=ashlar-source", "--input-type=module", "-e", code];
    execFile(process.execPath, args, { timeout: 20_000 }, (error) => (error === null ? resolve() : reject(error)));
  });
  expect(await subject.store.getBucket("from-elsewhere")).toBeDefined();
  await subject.dispose();
});
