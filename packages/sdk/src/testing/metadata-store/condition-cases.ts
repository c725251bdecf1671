import { expect } from "vitest";
import type { CommitCondition, HttpCondition, ObjectInfo } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunkedCommit,
  chunksOf,
  collectable,
  dropAll,
  inlineCommit,
  keysOf,
  partOf,
  textOf,
  withBucket,
} from "./fixtures.ts";

export const CONDITION_CASES: readonly MetadataStoreCase[] = [
  {
    name: 'ifNoneMatch "*" creates and never overwrites',
    async run({ store }) {
      await withBucket(store);
      const condition = { ifNoneMatch: "*" };
      await store.commitObject(inlineCommit("k", "one", { condition }));
      await expectCode(store.commitObject(inlineCommit("k", "two", { condition })), "PRECONDITION_FAILED");
      expect(await textOf(store, "k")).toBe("one");
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      await store.commitObject(inlineCommit("k", "three", { condition }));
    },
  },
  {
    name: "ifMatch overwrites only the version that the caller has seen",
    async run({ store }) {
      await withBucket(store);
      await expectCode(
        store.commitObject(inlineCommit("k", "x", { condition: { ifMatch: "*" } })),
        "PRECONDITION_FAILED",
      );
      await expectCode(
        store.commitObject(inlineCommit("k", "x", { condition: { ifMatch: "abc" } })),
        "PRECONDITION_FAILED",
      );
      const first = await store.commitObject(inlineCommit("k", "one"));
      const second = await store.commitObject(inlineCommit("k", "two", { condition: { ifMatch: first.etag } }));
      const stale = inlineCommit("k", "three", { condition: { ifMatch: first.etag } });
      await expectCode(store.commitObject(stale), "PRECONDITION_FAILED");
      await store.commitObject(inlineCommit("k", "four", { condition: { ifMatch: "*", ifNoneMatch: first.etag } }));
      const both = inlineCommit("k", "five", { condition: { ifMatch: "*", ifNoneMatch: "*" } });
      await expectCode(store.commitObject(both), "PRECONDITION_FAILED");
      expect(await textOf(store, "k")).toBe("four");
      expect(second.etag).not.toBe(first.etag);
    },
  },
  {
    name: "every kind of write checks lists of etags and dates against the current version",
    async run({ store }) {
      await withBucket(store);
      const at = { bucket: BUCKET, key: "k" };
      const source = { sourceBucket: BUCKET, sourceKey: "source" };
      await store.commitObject(inlineCommit("source"));
      const complete = async (condition: CommitCondition): Promise<ObjectInfo> => {
        const { uploadId } = await store.createUpload({ ...at, attributes: {}, durability: "strict" });
        const part = await store.putPart(partOf(uploadId, 1, chunksOf(["a"])));
        return await store.completeUpload({ uploadId, parts: [part], condition });
      };
      const writes: readonly ((condition: CommitCondition) => Promise<unknown>)[] = [
        (condition) => store.commitObject(inlineCommit("k", "new", { condition })),
        (condition) => store.copyObject({ ...source, ...at, condition }),
        (condition) => store.deleteObject({ ...at, condition }),
        complete,
      ];
      for (const write of writes) {
        await store.deleteObject(at);
        for (const ifMatchAny of [["*"], ["a", "b"]]) await expectCode(write({ ifMatchAny }), "PRECONDITION_FAILED");
        await write({ ifNoneMatchAny: ["*"], ifUnmodifiedSinceMs: 0 });
        const before = async (): Promise<ObjectInfo> => await store.commitObject(inlineCommit("k", "before"));
        const { etag, createdAtMs } = await before();
        // The value of `last-modified`.
        const ifUnmodifiedSinceMs = Math.floor(createdAtMs / 1000) * 1000;
        const refused: readonly HttpCondition[] = [
          { ifMatchAny: ["a", "b"] },
          { ifNoneMatchAny: ["a", etag] },
          { ifNoneMatchAny: ["*"] },
          { ifUnmodifiedSinceMs: ifUnmodifiedSinceMs - 1 },
          { ifMatchAny: ["a", etag], ifNoneMatchAny: ["b", etag] },
          { ifMatchAny: ["a", etag], ifUnmodifiedSinceMs: 0 },
        ];
        for (const condition of refused) await expectCode(write(condition), "PRECONDITION_FAILED");
        expect(await textOf(store, "k")).toBe("before");
        await write({ ifMatchAny: ["a", etag], ifNoneMatchAny: ["b"] });
        await before();
        await write({ ifMatchAny: ["*"] });
        await write({ ifUnmodifiedSinceMs: (await before()).createdAtMs });
      }
    },
  },
  {
    name: "a condition with empty lists, or with both single etags and lists, is refused",
    async run({ store }) {
      await withBucket(store);
      const conditions: readonly object[] = [
        { ifMatchAny: [] },
        { ifNoneMatchAny: [""] },
        { ifMatchAny: "a" },
        { ifUnmodifiedSinceMs: 0.5 },
        { ifNoneMatch: "*", ifMatchAny: ["a", "b"] },
        { ifMatch: "a", ifUnmodifiedSinceMs: 0 },
      ];
      for (const condition of conditions) {
        await expectCode(store.commitObject(inlineCommit("k", "x", { condition })), "INVALID_ARGUMENT");
        await expectCode(store.deleteObject({ bucket: BUCKET, key: "k", condition }), "INVALID_ARGUMENT");
      }
    },
  },
  {
    name: "a commit that its condition refuses adds no chunk",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k"));
      const refused = chunkedCommit("k", chunksOf(["a"]), { condition: { ifNoneMatch: "*" } });
      await expectCode(store.commitObject(refused), "PRECONDITION_FAILED");
      expect(await store.knowsChunks(chunksOf(["a"]).map((chunk) => chunk.chunkId))).toEqual([false]);
    },
  },
  {
    name: "delete says whether there was an object, and obeys conditions",
    async run({ store }) {
      await withBucket(store);
      const at = { bucket: BUCKET, key: "k" };
      expect(await store.deleteObject(at)).toBe(false);
      await expectCode(store.deleteObject({ ...at, condition: { ifMatch: "*" } }), "PRECONDITION_FAILED");
      const { etag } = await store.commitObject(inlineCommit("k"));
      await expectCode(store.deleteObject({ ...at, condition: { ifMatch: "other" } }), "PRECONDITION_FAILED");
      await expectCode(store.deleteObject({ ...at, condition: { ifNoneMatch: etag } }), "PRECONDITION_FAILED");
      expect(await keysOf(store)).toEqual(["k"]);
      expect(await store.deleteObject({ ...at, condition: { ifMatch: etag } })).toBe(true);
      expect(await store.getObject(at)).toBeUndefined();
      expect(await store.deleteObject(at)).toBe(false);
    },
  },
  {
    name: "a copy has the source's bytes, its own attributes and version, and outlives the source",
    async run({ store }) {
      await withBucket(store);
      await store.createBucket("case-copies");
      const source = await store.commitObject(inlineCommit("k", "text", { attributes: { contentType: "text/a" } }));
      const at = { sourceBucket: BUCKET, sourceKey: "k", bucket: "case-copies", key: "l" };
      const copy = await store.copyObject(at);
      expect(copy).toEqual({
        ...{ ...source, bucket: "case-copies", key: "l" },
        ...{ objectVersion: copy.objectVersion, createdAtMs: copy.createdAtMs },
      });
      expect(copy.objectVersion).not.toBe(source.objectVersion);
      const other = await store.copyObject({ ...at, key: "m", attributes: { contentType: "text/b" } });
      expect(other.attributes).toEqual({ contentType: "text/b" });
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      expect(await textOf(store, "l", "case-copies")).toBe("text");
      expect((await store.getObject({ bucket: "case-copies", key: "m" }))?.info).toEqual(other);
    },
  },
  {
    name: "a copy obeys the conditions on source and target, and needs a source",
    async run({ store }) {
      await withBucket(store);
      const at = { sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "l" };
      await expectCode(store.copyObject(at), "OBJECT_NOT_FOUND");
      await expectCode(store.copyObject({ ...at, sourceBucket: "nobody" }), "BUCKET_NOT_FOUND");
      const { etag } = await store.commitObject(inlineCommit("k"));
      await expectCode(store.copyObject({ ...at, bucket: "nobody" }), "BUCKET_NOT_FOUND");
      await expectCode(store.copyObject({ ...at, sourceIfMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(store.copyObject({ ...at, condition: { ifMatch: "*" } }), "PRECONDITION_FAILED");
      await store.copyObject({ ...at, sourceIfMatch: etag, condition: { ifNoneMatch: "*" } });
      await expectCode(store.copyObject({ ...at, condition: { ifNoneMatch: "*" } }), "PRECONDITION_FAILED");
      expect(await keysOf(store)).toEqual(["k", "l"]);
    },
  },
  {
    name: "copies of chunked objects share their chunks until the last one is deleted",
    async run({ store }) {
      await withBucket(store);
      const names = ["a", "b"];
      await store.commitObject(chunkedCommit("k", chunksOf(names)));
      await store.copyObject({ sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "l" });
      await store.copyObject({ sourceBucket: BUCKET, sourceKey: "l", bucket: BUCKET, key: "m" });
      // A copy onto itself, to change attributes, must not lose its own manifest.
      await store.copyObject({ sourceBucket: BUCKET, sourceKey: "l", bucket: BUCKET, key: "l", attributes: {} });
      for (const key of ["k", "l", "m"]) {
        await dropAll(store);
        expect(await collectable(store, names)).toEqual([]);
        const stored = await store.getObject({ bucket: BUCKET, key });
        expect(stored?.page?.chunks.map(({ chunkId, sizeBytes }) => ({ chunkId, sizeBytes }))).toEqual(chunksOf(names));
        await store.deleteObject({ bucket: BUCKET, key });
      }
      expect(await dropAll(store)).toBe(1);
      expect(await collectable(store, names)).toEqual(names);
    },
  },
  {
    name: "a move gives the same content a new name, as a new version with its attributes, and obeys the conditions on both",
    async run({ store }) {
      await withBucket(store);
      await store.createBucket("case-moves");
      const at = { sourceBucket: BUCKET, sourceKey: "k", bucket: "case-moves", key: "l" };
      await expectCode(store.moveObject(at), "OBJECT_NOT_FOUND");
      await expectCode(store.moveObject({ ...at, sourceBucket: "nobody" }), "BUCKET_NOT_FOUND");
      const source = await store.commitObject(inlineCommit("k", "text", { attributes: { contentType: "text/a" } }));
      await expectCode(store.moveObject({ ...at, bucket: "nobody" }), "BUCKET_NOT_FOUND");
      await expectCode(store.moveObject({ ...at, bucket: BUCKET, key: "k" }), "INVALID_ARGUMENT");
      await expectCode(store.moveObject({ ...at, sourceIfMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(store.moveObject({ ...at, condition: { ifMatch: "*" } }), "PRECONDITION_FAILED");
      expect(await textOf(store, "k")).toBe("text");
      const moved = await store.moveObject({ ...at, sourceIfMatch: source.etag, condition: { ifNoneMatch: "*" } });
      const { objectVersion, createdAtMs } = moved;
      expect(moved).toEqual({ ...source, bucket: "case-moves", key: "l", objectVersion, createdAtMs });
      expect(objectVersion).not.toBe(source.objectVersion);
      expect(await keysOf(store)).toEqual([]);
      expect(await textOf(store, "l", "case-moves")).toBe("text");
      await store.deleteBucket(BUCKET);
    },
  },
  {
    name: "a move keeps the object's chunks, and releases those of the object that it replaces",
    async run({ store }) {
      await withBucket(store);
      const move = (sourceKey: string, key: string): Promise<unknown> =>
        store.moveObject({ sourceBucket: BUCKET, sourceKey, bucket: BUCKET, key });
      await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"])));
      await store.commitObject(chunkedCommit("l", chunksOf(["c"])));
      await store.copyObject({ sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "copy" });
      await move("k", "l");
      await move("l", "m");
      await move("m", "copy");
      await dropAll(store);
      expect(await collectable(store, ["a", "b", "c"])).toEqual(["c"]);
      const stored = await store.getObject({ bucket: BUCKET, key: "copy" });
      expect(stored?.page?.chunks.map(({ chunkId, sizeBytes }) => ({ chunkId, sizeBytes }))).toEqual(
        chunksOf(["a", "b"]),
      );
      expect(await keysOf(store)).toEqual(["copy"]);
      await store.deleteObject({ bucket: BUCKET, key: "copy" });
      await dropAll(store);
      expect(await collectable(store, ["a", "b", "c"])).toEqual(["a", "b", "c"]);
    },
  },
];
