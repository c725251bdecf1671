/** Random calls on two separate implementations: the memory store and an SQL store must give the same answers, errors included. */
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex, sha256Sync } from "@ashlar/sdk/hash";
import type { ChunkRef, CommitCondition, MetadataStore, ObjectInfo } from "@ashlar/sdk/ports";
import type { MetadataStoreSubject } from "@ashlar/sdk/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryMetadataStore } from "./memory/index.ts";
import { createPostgresSubject } from "./postgres/testing/postgres-subject.ts";
import { createSqliteSubject } from "./sqlite/testing/sqlite-subject.ts";

const BUCKET = "agree";
const KEYS = ["a", "a/b", "a/b/c", "a\0", "ab", "b/", "b//", "é/x", "\u{10000}/y"];
const NAMES = ["c0", "c1", "c2", "c3"];

const key = fc.constantFrom(...KEYS);
const name = fc.constantFrom(...NAMES);
const slot = fc.nat(2);
const etag = fc.constantFrom("e0", "e1", "e2");
const etags = fc.array(fc.oneof(etag, fc.constant("*")), { minLength: 1, maxLength: 3 });
const condition: fc.Arbitrary<CommitCondition | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.record({ ifMatch: fc.oneof(etag, fc.constant("*")) }),
  fc.record({ ifNoneMatch: fc.oneof(etag, fc.constant("*")) }),
  // Only dates for which the result does not depend on the clock.
  fc.record(
    { ifMatchAny: etags, ifNoneMatchAny: etags, ifUnmodifiedSinceMs: fc.constantFrom(0, Number.MAX_SAFE_INTEGER) },
    { requiredKeys: [] },
  ),
);
const chunkNames = fc.array(name, { minLength: 1, maxLength: 5 });

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("commit" as const), key, etag, condition, names: fc.option(chunkNames) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("delete" as const), key, condition }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom("copy" as const, "move" as const),
      key,
      target: key,
      condition,
      sourceIfMatch: fc.option(etag, { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("get" as const), key, fromOffset: fc.nat(4000), chunkLimit: fc.nat(4) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{
        op: fc.constant("list" as const),
        prefix: fc.constantFrom("", "a", "a/", "é"),
        limit: fc.integer({ min: 1, max: 4 }),
      },
      delimiter: fc.constantFrom(undefined, "/", "b", "\0"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("upload" as const), slot, key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("part" as const),
      slot,
      partNumber: fc.integer({ min: 1, max: 3 }),
      names: chunkNames,
      etag,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("complete" as const),
      slot,
      parts: fc.subarray([1, 2, 3]),
      etag,
      condition,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("abort" as const), slot }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("drop" as const), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("collect" as const), removed: fc.boolean() }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const chunkIdOf = (text: string): Digest => sha256Sync(new TextEncoder().encode(text));
const chunksOf = (names: readonly string[]): ChunkRef[] =>
  names.map((text) => ({ chunkId: chunkIdOf(text), sizeBytes: 100 + NAMES.indexOf(text) }));
const totalOf = (chunks: readonly ChunkRef[]): number => chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
/** An info without the fields that differ in each store. */
const shown = ({ objectVersion: _version, createdAtMs: _time, ...info }: ObjectInfo): unknown => info;

/** Runs one step. @param slots upload ids, of which each store has its own. */
async function runStep(store: MetadataStore, one: Step, slots: string[]): Promise<unknown> {
  switch (one.op) {
    case "commit": {
      const chunks = one.names === null ? undefined : chunksOf(one.names);
      const content = chunks === undefined ? { inline: new Uint8Array(3) } : { chunks };
      const size = { sizeBytes: chunks === undefined ? 3 : totalOf(chunks), etag: one.etag, durability: "os" as const };
      return shown(
        await store.commitObject({
          bucket: BUCKET,
          key: one.key,
          ...size,
          attributes: {},
          content,
          condition: one.condition,
        }),
      );
    }
    case "delete":
      return await store.deleteObject({ bucket: BUCKET, key: one.key, condition: one.condition });
    case "copy":
    case "move": {
      const { key: sourceKey, target, condition: wanted, sourceIfMatch } = one;
      const names = { sourceBucket: BUCKET, sourceKey, bucket: BUCKET, key: target, condition: wanted, sourceIfMatch };
      return shown(one.op === "copy" ? await store.copyObject(names) : await store.moveObject(names));
    }
    case "get": {
      const stored = await store.getObject({
        bucket: BUCKET,
        key: one.key,
        fromOffset: one.fromOffset,
        chunkLimit: one.chunkLimit,
      });
      return stored === undefined ? undefined : { info: shown(stored.info), inline: stored.inline, page: stored.page };
    }
    case "list": {
      const pages: unknown[] = [];
      let cursor: string | undefined;
      do {
        const { prefix, limit, delimiter } = one;
        const page = await store.listObjects({ bucket: BUCKET, prefix, limit, delimiter, cursor });
        pages.push([
          page.objects.map((entry) => [entry.key, entry.etag, entry.sizeBytes]),
          page.prefixes,
          page.nextCursor,
        ]);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return pages;
    }
    case "upload": {
      const upload = await store.createUpload({ bucket: BUCKET, key: one.key, attributes: {}, durability: "os" });
      slots[one.slot] = upload.uploadId;
      return upload.key;
    }
    case "part": {
      const chunks = chunksOf(one.names);
      const place = { uploadId: slots[one.slot] ?? "none", partNumber: one.partNumber };
      const { createdAtMs: _time, ...part } = await store.putPart({
        ...place,
        sizeBytes: totalOf(chunks),
        etag: one.etag,
        content: { chunks },
      });
      return part;
    }
    case "complete": {
      const parts = one.parts.map((partNumber) => ({ partNumber, etag: one.etag }));
      return shown(
        await store.completeUpload({ uploadId: slots[one.slot] ?? "none", parts, condition: one.condition }),
      );
    }
    case "abort":
      return await store.abortUpload(slots[one.slot] ?? "none");
    case "drop":
      return await store.dropReleasedManifests({ graceMs: 0, limit: one.limit });
    case "collect":
      return await collect(store, one.removed);
  }
}

async function collect(store: MetadataStore, removed: boolean): Promise<unknown> {
  const marked = await store.markCollecting({ graceMs: 0, limit: 100 });
  const gone = await store.finishCollecting(marked.map(({ chunkId }) => ({ chunkId, removed })));
  const known = await store.knowsChunks(NAMES.map(chunkIdOf));
  return { marked: marked.map(({ chunkId }) => encodeHex(chunkId)).sort(), gone: gone.map(encodeHex).sort(), known };
}

async function outcomeOf(store: MetadataStore, one: Step, slots: string[]): Promise<unknown> {
  try {
    return await runStep(store, one, slots);
  } catch (error) {
    if (!AshlarError.is(error)) throw error;
    return error.code;
  }
}

/** Empties a store by its own means; what is left after it would show in the next run. */
async function empty(store: MetadataStore): Promise<void> {
  for (const one of KEYS) await store.deleteObject({ bucket: BUCKET, key: one });
  await store.abortStaleUploads({ olderThanMs: 0, limit: 100 });
  // Several times: stores may count what they drop differently.
  while ((await store.dropReleasedManifests({ graceMs: 0, limit: 100 })) > 0);
  await collect(store, true);
  expect(await store.knowsChunks(NAMES.map(chunkIdOf))).toEqual(NAMES.map(() => false));
}

describe.each<[string, () => Promise<MetadataStoreSubject>, number]>([
  ["SQLite", () => createSqliteSubject(), 60],
  ["PostgreSQL", () => createPostgresSubject(), 25],
])("the memory store and %s", (_name, create, numRuns) => {
  test("give the same answers to any calls", async () => {
    const subject = await create();
    const memory = createMemoryMetadataStore();
    const stores = [memory, subject.store];
    for (const store of stores) await store.createBucket(BUCKET);
    const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const slots: [string[], string[]] = [[], []];
      for (const one of steps) {
        // Counts of drops may differ: SQL drops released parts one by one. So everything is dropped at such a step.
        const whole = one.op === "drop" ? { ...one, limit: 100 } : one;
        const [expected, actual] = await Promise.all([
          outcomeOf(memory, whole, slots[0]),
          outcomeOf(subject.store, whole, slots[1]),
        ]);
        if (one.op !== "drop") expect(actual).toEqual(expected);
      }
      for (const store of stores) await empty(store);
    });
    await fc.assert(property, {
      numRuns,
      ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }),
    });
    await subject.dispose();
  }, 120_000);
});
