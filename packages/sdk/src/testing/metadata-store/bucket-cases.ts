import { expect } from "vitest";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { BUCKET, inlineCommit, startUpload, withBucket } from "./fixtures.ts";

const BAD_NAMES: readonly string[] = [
  ..."ab,Abc,a_b,a b,-abc,abc-,.abc,abc.,a..b,192.168.0.1,xn--abc,abc-s3alias,a/b,abc\0,äbc".split(","),
  "",
  "a".repeat(64),
];

export const BUCKET_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a bucket that was created can be read, and buckets are listed by name",
    async run({ store }) {
      const before = await store.createBucket("zebra");
      await store.createBucket("ant.hill");
      await store.createBucket("ant-hill");
      await store.createBucket("bee-2");
      expect(await store.getBucket("zebra")).toEqual(before);
      expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual([
        "ant-hill",
        "ant.hill",
        "bee-2",
        "zebra",
      ]);
      expect(before.createdAtMs).toBeGreaterThan(1_500_000_000_000);
    },
  },
  {
    name: "a bucket that nobody created is absent, and no call into it works",
    async run({ store }) {
      expect(await store.getBucket("nobody")).toBeUndefined();
      expect(await store.listBuckets()).toEqual([]);
      const at = { bucket: "nobody", key: "k" };
      await expectCode(store.deleteBucket("nobody"), "BUCKET_NOT_FOUND");
      await expectCode(store.commitObject(inlineCommit("k", "k", { bucket: "nobody" })), "BUCKET_NOT_FOUND");
      await expectCode(store.getObject(at), "BUCKET_NOT_FOUND");
      await expectCode(store.deleteObject(at), "BUCKET_NOT_FOUND");
      await expectCode(store.listObjects({ bucket: "nobody" }), "BUCKET_NOT_FOUND");
      await expectCode(store.listObjects({ bucket: "nobody", delimiter: "/" }), "BUCKET_NOT_FOUND");
      await expectCode(store.listUploads({ bucket: "nobody" }), "BUCKET_NOT_FOUND");
      await expectCode(store.createUpload({ ...at, attributes: {}, durability: "strict" }), "BUCKET_NOT_FOUND");
    },
  },
  {
    name: "a bucket name is taken once, also when 20 ask at the same time",
    async run({ store }) {
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => store.createBucket(BUCKET)));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      await expectCode(store.createBucket(BUCKET), "BUCKET_ALREADY_EXISTS");
    },
  },
  {
    name: "bucket names follow S3's rules",
    async run({ store }) {
      for (const name of BAD_NAMES) await expectCode(store.createBucket(name), "INVALID_BUCKET_NAME");
      for (const name of ["abc", "a-b.c", "1bc", "192.168.0.x", "a".repeat(63)]) await store.createBucket(name);
      expect(await store.listBuckets()).toHaveLength(5);
    },
  },
  {
    name: "only an empty bucket can be deleted: no objects, no uploads",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k"));
      const first = await expectCode(store.deleteBucket(BUCKET), "BUCKET_NOT_EMPTY");
      expect(first.details).toMatchObject({ bucket: BUCKET, hasObjects: "true", uploadCount: "0" });
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      const uploadId = await startUpload(store, "k");
      const second = await expectCode(store.deleteBucket(BUCKET), "BUCKET_NOT_EMPTY");
      expect(second.details).toMatchObject({ hasObjects: "false", uploadCount: "1" });
      await store.abortUpload(uploadId);
      await store.deleteBucket(BUCKET);
      expect(await store.getBucket(BUCKET)).toBeUndefined();
      await expectCode(store.deleteBucket(BUCKET), "BUCKET_NOT_FOUND");
      await store.createBucket(BUCKET);
    },
  },
  {
    name: "a commit raced by the deletion of its bucket is never lost: one of the two is refused",
    async run({ store }) {
      for (let round = 0; round < 20; round++) {
        const bucket = `race-${round}`;
        await store.createBucket(bucket);
        const [commit, deletion] = await Promise.allSettled([
          store.commitObject(inlineCommit("k", "k", { bucket })),
          store.deleteBucket(bucket),
        ]);
        expect(commit.status === "fulfilled" && deletion.status === "fulfilled", "both succeeded").toBe(false);
        expect((await store.getBucket(bucket)) !== undefined).toBe(commit.status === "fulfilled");
      }
    },
  },
];
