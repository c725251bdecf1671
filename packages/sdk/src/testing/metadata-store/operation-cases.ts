import { expect } from "vitest";
import type { HttpCondition, MetadataStore, WriteOptions } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import { ifPersistent, ifShared, type MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunksOf,
  collectable,
  dropAll,
  inlineCommit,
  keysOf,
  partOf,
  startUpload,
  textOf,
  withBucket,
} from "./fixtures.ts";

/** Operation ids as clients make them. */
const idOf = (number: number): string => number.toString(16).padStart(32, "0");
const named = (number: number, credential?: string): WriteOptions => ({ operationId: idOf(number), credential });

/** Runs every kind of write except a move, each under its own operation id. @returns for each a function that tries it again, and its result. */
async function everyWrite(store: MetadataStore): Promise<ReadonlyArray<readonly [() => Promise<unknown>, unknown]>> {
  await store.commitObject(inlineCommit("source"));
  await store.commitObject(inlineCommit("movable"));
  const toAbort = await startUpload(store, "aborted");
  const toComplete = await startUpload(store, "completed");
  const part = await store.putPart(partOf(toComplete, 1, chunksOf(["p"])));
  const at = { sourceBucket: BUCKET, sourceKey: "source", bucket: BUCKET };
  await store.createBucket("case-gone");
  const condition = { ifNoneMatch: "*" };
  const tries: ReadonlyArray<() => Promise<unknown>> = [
    () => store.createBucket("case-made", named(1)),
    () => store.deleteBucket("case-gone", named(2)),
    () =>
      store.commitObject(
        inlineCommit("put", "put", { condition, attributes: { metadata: { b: "1", a: "2" } } }),
        named(3),
      ),
    () => store.copyObject({ ...at, key: "copied", condition }, named(4)),
    () => store.moveObject({ ...at, sourceKey: "movable", key: "moved", condition }, named(10)),
    () => store.createUpload({ bucket: BUCKET, key: "u", attributes: {}, durability: "strict" }, named(5)),
    () => store.putPart(partOf(toAbort, 1, chunksOf(["q"])), named(6)),
    () => store.abortUpload(toAbort, named(7)),
    () => store.completeUpload({ uploadId: toComplete, parts: [part], condition }, named(8)),
    () => store.deleteObject({ bucket: BUCKET, key: "source", condition: { ifMatch: "*" } }, named(9)),
  ];
  const answers: [() => Promise<unknown>, unknown][] = [];
  for (const run of tries) answers.push([run, await run()]);
  return answers;
}

/** Metadata with names that a store, its encoding of results or JavaScript may use itself. */
const METADATA_OF_ANY_NAME: ReadonlyArray<Readonly<Record<string, string>>> = [
  { digest: "deadbeef" },
  { digest: "ab".repeat(32) },
  { digest: "x", other: "y" },
  { digest: "" },
  { bytes: "ab", $digest: "ab".repeat(32) },
  { tojson: "a", constructor: "b", valueof: "c", length: "1", 0: "d" },
  { value: '{"digest":"ab"}', quote: "'; -- \\ \" " },
];

export const OPERATION_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a write that is tried again under its operation id returns its first result, even if its condition does not hold any more",
    async run({ store }) {
      await withBucket(store);
      const answers = await everyWrite(store);
      for (const [again, first] of answers) expect(await again()).toEqual(first);
      expect(await keysOf(store)).toEqual(["completed", "copied", "moved", "put"]);
      expect((await store.listUploads({ bucket: BUCKET })).uploads.map(({ key }) => key)).toEqual(["u"]);
      expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual([BUCKET, "case-made"]);
      expect(await dropAll(store), "released: the aborted upload").toBe(1);
      expect(await collectable(store, ["p", "q"])).toEqual(["q"]);
    },
  },
  {
    name: "a write that is tried again returns its metadata, with any names and values",
    async run({ store }) {
      await withBucket(store);
      let number = 0;
      for (const metadata of METADATA_OF_ANY_NAME) {
        const attributes = { metadata };
        const at = { bucket: BUCKET, key: "k", attributes };
        await store.commitObject(inlineCommit("source", "source", { attributes }));
        const upload = await store.createUpload({ ...at, durability: "strict" });
        const parts = [await store.putPart(partOf(upload.uploadId, 1, chunksOf(["p"])))];
        const copy = { sourceBucket: BUCKET, sourceKey: "source", bucket: BUCKET, key: "copied" };
        const tries: ReadonlyArray<(options: WriteOptions) => Promise<{ readonly attributes: object }>> = [
          (options) => store.commitObject(inlineCommit("k", "put", { attributes }), options),
          (options) => store.copyObject(copy, options),
          (options) => store.copyObject({ ...copy, attributes }, options),
          (options) => store.createUpload({ ...at, durability: "strict" }, options),
          (options) => store.completeUpload({ uploadId: upload.uploadId, parts }, options),
        ];
        for (const run of tries) {
          const options = named(++number);
          const first = await run(options);
          expect(first.attributes).toMatchObject({ metadata });
          expect(await run(options)).toEqual(first);
        }
      }
    },
  },
  {
    name: "a write that is tried again changes nothing that others have done since",
    async run({ store }) {
      await withBucket(store);
      const put = (): Promise<unknown> => store.commitObject(inlineCommit("k", "mine"), named(1));
      const remove = (): Promise<unknown> => store.deleteObject({ bucket: BUCKET, key: "k" }, named(2));
      const first = await put();
      await store.commitObject(inlineCommit("k", "theirs"));
      expect(await put()).toEqual(first);
      expect(await textOf(store, "k")).toBe("theirs");
      expect(await remove()).toBe(true);
      expect(await put()).toEqual(first);
      expect(await textOf(store, "k")).toBeUndefined();
      await store.commitObject(inlineCommit("k", "anew"));
      expect(await remove()).toBe(true);
      expect(await textOf(store, "k")).toBe("anew");
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      const upload = await store.createUpload({ bucket: BUCKET, key: "u", attributes: {}, durability: "strict" });
      await store.abortUpload(upload.uploadId);
      await store.deleteBucket(BUCKET);
      expect(await put()).toEqual(first);
      await store.createBucket(BUCKET);
      expect(await keysOf(store)).toEqual([]);
    },
  },
  {
    name: "a write that was refused leaves nothing: the next try under its id is decided anew",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k", "one"));
      const put = (): Promise<unknown> =>
        store.commitObject(inlineCommit("k", "two", { condition: { ifNoneMatch: "*" } }), named(1));
      await expectCode(put(), "PRECONDITION_FAILED");
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await put();
      expect(await textOf(store, "k")).toBe("two");
    },
  },
  {
    name: "an operation id is valid for one request only",
    async run({ store }) {
      await withBucket(store);
      await everyWrite(store);
      const others: ReadonlyArray<() => Promise<unknown>> = [
        () => store.createBucket("case-other", named(1)),
        () => store.deleteBucket(BUCKET, named(1)),
        () => store.commitObject(inlineCommit("put", "other"), named(3)),
        () => store.commitObject(inlineCommit("other", "put"), named(3)),
        () => store.commitObject(inlineCommit("put", "put"), named(3)),
        () => store.deleteObject({ bucket: BUCKET, key: "put" }, named(3)),
        () => store.deleteObject({ bucket: BUCKET, key: "put" }, named(9)),
        () => store.abortUpload("nobody", named(7)),
        () => store.completeUpload({ uploadId: "nobody", parts: [{ partNumber: 1, etag: "x" }] }, named(8)),
      ];
      for (const run of others) await expectCode(run(), "INVALID_ARGUMENT");
      expect(await textOf(store, "put")).toBe("put");
      expect(await keysOf(store)).toEqual(["completed", "copied", "moved", "put"]);
    },
  },
  {
    name: "the same operation id under another credential is another call",
    async run({ store }) {
      await withBucket(store);
      const put = (text: string, credential: string): Promise<{ readonly objectVersion: string }> =>
        store.commitObject(inlineCommit("k", text), named(1, credential));
      const mine = await put("mine", "a");
      const theirs = await put("mine", "b");
      expect(theirs.objectVersion).not.toBe(mine.objectVersion);
      await put("other", "c");
      expect(await textOf(store, "k")).toBe("other");
      expect(await put("mine", "a")).toEqual(mine);
      expect(await put("mine", "b")).toEqual(theirs);
      expect(await textOf(store, "k")).toBe("other");
    },
  },
  {
    name: "a completed upload returns its object again, for the same parts and the same credential",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      const parts = [
        await store.putPart(partOf(uploadId, 1, chunksOf(["a"]))),
        await store.putPart(partOf(uploadId, 2, chunksOf(["b"]))),
      ];
      const complete = (chosen = parts, options: WriteOptions = {}): Promise<unknown> =>
        store.completeUpload({ uploadId, parts: chosen }, options);
      const first = await complete();
      await store.commitObject(inlineCommit("k", "since"));
      expect(await complete()).toEqual(first);
      expect(await complete(parts, named(1))).toEqual(first);
      await expectCode(complete(parts.slice(1)), "UPLOAD_NOT_FOUND");
      await expectCode(complete(parts, { credential: "other" }), "UPLOAD_NOT_FOUND");
      expect(await textOf(store, "k")).toBe("since");
    },
  },
  {
    name: "a write with a list or a date that is tried again returns its first result, even if the current version has changed",
    async run({ store }) {
      await withBucket(store);
      const at = { bucket: BUCKET, key: "k" };
      const { etag } = await store.commitObject(inlineCommit("k", "before"));
      await store.commitObject(inlineCommit("source"));
      const conditions: readonly HttpCondition[] = [
        { ifMatchAny: [etag, "other"] },
        { ifNoneMatchAny: ["a", "b"] },
        { ifUnmodifiedSinceMs: Number.MAX_SAFE_INTEGER },
      ];
      let operation = 0;
      for (const condition of conditions) {
        const writes: readonly ((options: WriteOptions) => Promise<unknown>)[] = [
          (options) => store.commitObject(inlineCommit("k", "mine", { condition }), options),
          (options) => store.copyObject({ sourceBucket: BUCKET, sourceKey: "source", ...at, condition }, options),
          (options) => store.deleteObject({ ...at, condition }, options),
          (options) => store.moveObject({ sourceBucket: BUCKET, sourceKey: "source", ...at, condition }, options),
        ];
        for (const write of writes) {
          await store.commitObject(inlineCommit("source"));
          await store.commitObject(inlineCommit("k", "before"));
          const options = named(++operation);
          const first = await write(options);
          expect(await write(options)).toEqual(first);
          await store.commitObject(inlineCommit("k", "of another"));
          expect(await write(options)).toEqual(first);
          expect(await textOf(store, "k")).toBe("of another");
        }
      }
    },
  },
  {
    name: "of 20 tries of one write at once, one happens, and all get its result",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k", "before"));
      const before = (await store.getObject({ bucket: BUCKET, key: "k" }))?.info.etag;
      const put = inlineCommit("k", "after", { condition: { ifMatch: before as string } });
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.commitObject(put, named(1))));
      expect(new Set(answers.map(({ objectVersion }) => objectVersion)).size).toBe(1);
      const removed = await Promise.all(
        Array.from({ length: 20 }, () => store.deleteObject({ bucket: BUCKET, key: "k" }, named(2))),
      );
      expect(removed.every((each) => each)).toBe(true);
    },
  },
  {
    name: "an operation id has 22 to 80 characters of a small set",
    async run({ store }) {
      await withBucket(store);
      for (const operationId of [
        "",
        "short",
        "x".repeat(81),
        `${"x".repeat(30)} `,
        `${"x".repeat(30)}\n`,
        "é".repeat(30),
      ])
        await expectCode(store.commitObject(inlineCommit("k"), { operationId }), "INVALID_ARGUMENT");
      await store.commitObject(inlineCommit("k"), { operationId: "AAAAAAAAAAAAAAAAAAAA-_" });
      await store.commitObject(inlineCommit("k"), {
        operationId: "9b2c1a5e-8f1d-4c9a-9a57-1d2f3b4c5d6e",
        credential: "\0é",
      });
      expect(await keysOf(store)).toEqual(["k"]);
    },
  },
  {
    name: "results of writes with an operation id are kept with the data",
    applies: ifPersistent,
    async run({ store, subject }) {
      await withBucket(store);
      const put = (to: MetadataStore): Promise<unknown> => to.commitObject(inlineCommit("k", "mine"), named(1));
      const first = await put(store);
      await store.commitObject(inlineCommit("k", "theirs"));
      expect(await put(await subject.reopen())).toEqual(first);
      expect(await textOf(subject.store, "k")).toBe("theirs");
    },
  },
  {
    name: "a second store on the same data knows the operation ids of the first",
    applies: ifShared,
    async run({ store, subject }) {
      await withBucket(store);
      const second = await subject.second();
      const put = inlineCommit("k", "mine", { condition: { ifNoneMatch: "*" } });
      const first = await store.commitObject(put, named(1));
      expect(await second.commitObject(put, named(1))).toEqual(first);
    },
  },
];
