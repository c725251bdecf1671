import { AshlarError } from "@ashlar/sdk/errors";
import { type CommitObject, type MetadataStore, systemClock } from "@ashlar/sdk/ports";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunningPostgres } from "../../internal/local-postgres/start-local-postgres.ts";
import { createTestSchema, startTestPostgres, type TestSchema } from "../../internal/test-postgres.ts";
import { openPostgresMetadataStore } from "./index.ts";
import { type Cut, type CuttingProxy, startCuttingProxy } from "./testing/cutting-proxy.ts";

const BUCKET = "case-bucket";

function commitOf(key: string, change: Partial<CommitObject> = {}): CommitObject {
  const inline = new TextEncoder().encode("text");
  return {
    bucket: BUCKET,
    key,
    sizeBytes: 4,
    etag: "x",
    durability: "strict",
    attributes: {},
    content: { inline },
    ...change,
  };
}

describe.each([true, false])("a connection that breaks (pipelined: %s)", (pipeline) => {
  let proxy: CuttingProxy;
  let schema: TestSchema;
  let store: MetadataStore;

  beforeEach(async () => {
    proxy = await startCuttingProxy(process.env.DATABASE_URL ?? "");
    schema = await createTestSchema(proxy.url);
    store = await openPostgresMetadataStore({ pool: () => schema.createPool({ pipeline }) });
    await store.createBucket(BUCKET);
  });

  afterEach(async () => {
    await store.close();
    await schema.drop();
    await proxy.close();
  });

  test("while the pool hands it out, when nobody listens to it yet, is replaced", async () => {
    for (let round = 0; round < 5; round++) {
      const fresh = await openPostgresMetadataStore({ pool: () => schema.createPool({ pipeline }) });
      proxy.cutAll();
      proxy.arm("when-made");
      expect(await fresh.getBucket(BUCKET)).toBeDefined();
      expect(proxy.cutCount).toBe(round + 1);
      await fresh.close();
    }
  });

  const cuts: readonly Cut[] = ["before-commit", "before-answer"];
  for (const cut of cuts) {
    test(`${cut}: every write happens once, and its answer arrives`, async () => {
      const condition = { ifNoneMatch: "*" };
      const steps: ReadonlyArray<() => Promise<unknown>> = [
        () => store.createBucket("other-bucket"),
        // The result travels as an SQL literal.
        () => store.commitObject(commitOf("k", { condition, attributes: { metadata: { a: `it's \\' E'\\` } } })),
        () => store.copyObject({ sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "l", condition }),
        () => store.deleteObject({ bucket: BUCKET, key: "k", condition: { ifMatch: "*" } }),
        () =>
          store.createApiKey({
            keyId: "one",
            name: "",
            role: "admin",
            secretSha256: new Uint8Array(32).fill(5) as never,
          }),
        () => store.deleteApiKey("one"),
        () => store.deleteBucket("other-bucket"),
        () => store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" }),
        () => store.changeLayout({ replicationFactor: 2 }),
      ];
      const results: unknown[] = [];
      for (const step of steps) {
        proxy.arm(cut);
        results.push(await step());
      }
      expect(proxy.cutCount).toBe(steps.length);
      const [bucket, first, copy, deleted, apiKey, keyDeleted, , registered, layout] = results;
      expect(bucket).toMatchObject({ bucket: "other-bucket" });
      expect(first).toMatchObject({ key: "k", attributes: { metadata: { a: `it's \\' E'\\` } } });
      expect((await store.getObject({ bucket: BUCKET, key: "l" }))?.info).toEqual(copy);
      expect([deleted, keyDeleted]).toEqual([true, true]);
      expect(apiKey).toMatchObject({ keyId: "one", secretSha256: new Uint8Array(32).fill(5) });
      expect(registered).toEqual({ layoutVersion: 1 });
      expect(layout).toMatchObject({ layoutVersion: 2, replicationFactor: 2 });
      expect((await store.clusterSnapshot()).layouts[0]).toEqual(layout);
    });
  }

  test.each(["before-commit", "before-answer"] as const)(
    "%s, with no time to try again: each write says that it may have happened",
    async (cut) => {
      const hasty = await openPostgresMetadataStore({ pool: () => schema.createPool({ pipeline }), retryForMs: 0 });
      await store.commitObject(commitOf("gone"));
      const writes: ReadonlyArray<() => Promise<unknown>> = [
        () => hasty.createBucket("other-bucket"),
        () => hasty.commitObject(commitOf("k")),
        () => hasty.deleteObject({ bucket: BUCKET, key: "gone" }),
      ];
      for (const write of writes) {
        proxy.arm(cut);
        await expect(write()).rejects.toMatchObject({
          code: "METADATA_UNAVAILABLE",
          details: { outcome: "unknown" },
        });
      }
      expect(proxy.cutCount).toBe(writes.length);
      // The server rolls back what it got no COMMIT for, and commits the rest although nobody gets the answer.
      await expect
        .poll(async () => (await store.listObjects({ bucket: BUCKET })).objects.map(({ key }) => key))
        .toEqual([cut === "before-answer" ? "k" : "gone"]);
      const refused = await hasty.commitObject(commitOf("k", { condition: { ifMatch: "no" } })).catch((error) => error);
      expect(refused).toMatchObject({ code: "PRECONDITION_FAILED", details: {} });
      expect(refused.details.outcome).toBeUndefined();
      await hasty.close();
    },
  );

  test("before the answer to an overwrite, with another writer behind it: the older write does not come back", async () => {
    const other = await openPostgresMetadataStore({ pool: () => schema.createPool({ pipeline }) });
    for (let round = 0; round < 5; round++) {
      proxy.arm("before-answer");
      // The first is cut after it was committed; the second overwrites it while the first is being tried again.
      const first = store.commitObject(commitOf("k", { etag: "first" }));
      while (proxy.cutCount <= round) await systemClock.sleep(0.1);
      const second = await other.commitObject(commitOf("k", { etag: "second" }));
      await first;
      expect((await other.getObject({ bucket: BUCKET, key: "k" }))?.info).toEqual(second);
    }
    await other.close();
  });

  test("while idle is replaced, and reads go on", async () => {
    await store.commitObject(commitOf("k"));
    for (let round = 0; round < 5; round++) {
      const reads = Array.from({ length: 20 }, () => store.getObject({ bucket: BUCKET, key: "k" }));
      proxy.cutAll();
      for (const stored of await Promise.all(reads)) expect(stored?.info.key).toBe("k");
      proxy.cutAll();
      expect((await store.listObjects({ bucket: BUCKET })).objects).toHaveLength(1);
    }
  });
});

describe("a server that dies", () => {
  let server: RunningPostgres;

  beforeAll(async () => {
    server = await startTestPostgres();
  });

  afterAll(() => server.dispose());

  test("kill -9 during commits, then a restart: what was answered is there, nobody saw an error, each happened once", async () => {
    const schema = await createTestSchema(server.url);
    const store = await openPostgresMetadataStore({ pool: () => schema.createPool(), retryForMs: 60_000 });
    await store.createBucket(BUCKET);
    const answered = new Map<string, string>();
    let done = false;
    const writer = async (name: string): Promise<void> => {
      for (let index = 0; !done; index++) {
        // If a commit happened without an answer and then again, its condition would refuse the second one.
        const commit = commitOf(`${name}/${index}`, { condition: { ifNoneMatch: "*" } });
        answered.set(commit.key, (await store.commitObject(commit)).objectVersion);
      }
    };
    const writers = Promise.all(["a", "b", "c", "d", "e", "f"].map(writer));
    for (let round = 0; round < 3; round++) {
      const count = answered.size;
      while (answered.size < count + 50) await systemClock.sleep(5);
      await server.kill();
      await server.start();
    }
    done = true;
    await writers;
    for (const [key, objectVersion] of answered) {
      expect((await store.getObject({ bucket: BUCKET, key }))?.info.objectVersion).toBe(objectVersion);
    }
    process.stdout.write(`kill -9 of PostgreSQL, three times: ${answered.size} commits answered, all there\n`);
    await store.close();
  });

  test("and stays away: METADATA_UNAVAILABLE after the time allowed, and an abort ends the waiting at once", async () => {
    const schema = await createTestSchema(server.url);
    const store = await openPostgresMetadataStore({ pool: () => schema.createPool(), retryForMs: 300 });
    await store.createBucket(BUCKET);
    await server.stop();
    const calls = [store.ping(), store.commitObject(commitOf("k")), store.getObject({ bucket: BUCKET, key: "k" })];
    for (const result of await Promise.allSettled(calls)) {
      expect(result.status === "rejected" && AshlarError.is(result.reason, "METADATA_UNAVAILABLE")).toBe(true);
      expect(((result as PromiseRejectedResult).reason as Error).cause).toBeInstanceOf(Error);
    }
    await expect(openPostgresMetadataStore({ pool: () => schema.createPool(), retryForMs: 200 })).rejects.toMatchObject(
      {
        code: "METADATA_UNAVAILABLE",
      },
    );
    const controller = new AbortController();
    const call = store.ping({ signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELED" });
    await server.start();
    await store.ping();
    expect(await store.getBucket(BUCKET)).toBeDefined();
    await store.close();
  });
});
