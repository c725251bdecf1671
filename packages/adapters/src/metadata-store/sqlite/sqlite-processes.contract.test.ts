import type { MetadataStore } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { spawnWriter } from "./testing/spawn-writer.ts";
import { createSqliteSubject } from "./testing/sqlite-subject.ts";

async function keysOf(store: MetadataStore, prefix: string): Promise<Set<string>> {
  const keys = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await store.listObjects({ bucket: "case-bucket", prefix, cursor });
    for (const { key } of page.objects) keys.add(key);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return keys;
}

// Five rounds, each with a process to start: as long as five tests.
test("kill -9 of a writing process loses no answered commit in any durability mode, and the file stays sound", {
  timeout: 150_000,
}, async () => {
  const subject = await createSqliteSubject();
  try {
    await subject.store.createBucket("case-bucket");
    await subject.store.close();
    for (const [round, durability] of ["strict", "batched", "os", "strict", "os"].entries()) {
      const name = `round-${round}`;
      const writer = spawnWriter(subject.path, durability, name);
      await writer.until(30 + 37 * round);
      await writer.kill();
      const store = await subject.reopen();
      const keys = await keysOf(store, `${name}/`);
      expect(writer.acknowledged.filter((key) => !keys.has(key))).toEqual([]);
      for (const key of writer.acknowledged)
        expect((await store.getObject({ bucket: "case-bucket", key }))?.inline).toHaveLength(4);
      process.stdout.write(`kill -9, ${durability}: ${writer.acknowledged.length} answered, ${keys.size} there\n`);
      await store.close();
    }
  } finally {
    await subject.dispose();
  }
});

test("two processes and this one write to one file at the same time, and nobody loses anything", async () => {
  const subject = await createSqliteSubject();
  const { store } = subject;
  await store.createBucket("case-bucket");
  const writers = ["a", "b"].map((name) => spawnWriter(subject.path, "strict", name));
  try {
    const inline = new TextEncoder().encode("text");
    const commit = { bucket: "case-bucket", sizeBytes: 4, etag: "x", durability: "strict" as const, attributes: {} };
    await Promise.all(writers.map((writer) => writer.until(50)));
    for (let index = 0; index < 100; index++)
      await store.commitObject({ ...commit, key: `c/${index}`, content: { inline } });
    await Promise.all(writers.map((writer) => writer.until(150)));
    // A commit that was answered to another process is there for this one at once.
    for (const writer of writers) {
      const last = writer.acknowledged.at(-1) ?? "";
      expect(await store.getObject({ bucket: "case-bucket", key: last })).toBeDefined();
    }
  } finally {
    await Promise.all(writers.map((writer) => writer.kill()));
  }
  for (const [index, name] of ["a", "b"].entries()) {
    const keys = await keysOf(store, `${name}/`);
    expect(writers[index]?.acknowledged.filter((key) => !keys.has(key))).toEqual([]);
  }
  expect((await keysOf(store, "c/")).size).toBe(100);
  await subject.dispose();
});

test("stores that open one file at once all work", async () => {
  const subject = await createSqliteSubject();
  const others = await Promise.all(Array.from({ length: 4 }, () => subject.second()));
  await Promise.all(others.map((store, index) => store.createBucket(`bucket-${index}`)));
  expect(await subject.store.listBuckets()).toHaveLength(4);
  await subject.dispose();
});
