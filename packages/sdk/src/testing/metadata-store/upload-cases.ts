import { expect } from "vitest";
import { uploadEtag } from "../../manifest/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  byBytes,
  chunksOf,
  collectable,
  dropAll,
  inlineCommit,
  keysOf,
  partOf,
  startUpload,
  textOf,
  totalBytes,
  withBucket,
} from "./fixtures.ts";

const named = (part: { readonly partNumber: number; readonly etag: string }): { partNumber: number; etag: string } => ({
  partNumber: part.partNumber,
  etag: part.etag,
});

export const UPLOAD_CASES: readonly MetadataStoreCase[] = [
  {
    name: "an upload is read as it was created, and adds nothing to the bucket's listing",
    async run({ store }) {
      await withBucket(store);
      const create = { bucket: BUCKET, key: "k", attributes: { contentType: "text/a" }, durability: "os" as const };
      const upload = await store.createUpload(create);
      expect(upload).toEqual({ ...create, uploadId: upload.uploadId, createdAtMs: upload.createdAtMs });
      expect(await store.getUpload(upload.uploadId)).toEqual(upload);
      await store.putPart(partOf(upload.uploadId, 1, chunksOf(["a"])));
      expect(await keysOf(store)).toEqual([]);
    },
  },
  {
    name: "an unknown upload is not found by any call",
    async run({ store }) {
      await withBucket(store);
      const uploadId = "nobody";
      const parts = [{ partNumber: 1, etag: "x" }];
      await expectCode(store.getUpload(uploadId), "UPLOAD_NOT_FOUND");
      await expectCode(store.putPart(partOf(uploadId, 1, chunksOf(["a"]))), "UPLOAD_NOT_FOUND");
      await expectCode(store.listParts({ uploadId }), "UPLOAD_NOT_FOUND");
      await expectCode(store.completeUpload({ uploadId, parts }), "UPLOAD_NOT_FOUND");
      await expectCode(store.abortUpload(uploadId), "UPLOAD_NOT_FOUND");
      expect(await store.knowsChunks(chunksOf(["a"]).map((chunk) => chunk.chunkId))).toEqual([false]);
    },
  },
  {
    name: "parts are listed by number, in pages",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      expect(await store.listParts({ uploadId })).toEqual({ parts: [] });
      for (const partNumber of [10, 2, 1_000_000, 1, 3])
        await store.putPart(partOf(uploadId, partNumber, chunksOf(["a"])));
      const first = await store.listParts({ uploadId, limit: 3 });
      expect(first.parts.map(({ partNumber }) => partNumber)).toEqual([1, 2, 3]);
      expect(first.nextPartNumber).toBe(3);
      const rest = await store.listParts({ uploadId, limit: 2, afterPartNumber: first.nextPartNumber });
      expect([rest.parts.map(({ partNumber }) => partNumber), rest.nextPartNumber]).toEqual([
        [10, 1_000_000],
        undefined,
      ]);
    },
  },
  {
    name: "a completed upload is an object: size, etag, attributes and durability of the upload; the upload is gone",
    async run({ store }) {
      await withBucket(store);
      const attributes = { contentType: "text/a", metadata: { a: "1" } };
      const { uploadId } = await store.createUpload({ bucket: BUCKET, key: "k", attributes, durability: "batched" });
      const parts = [
        await store.putPart(partOf(uploadId, 1, chunksOf(["a"]))),
        await store.putPart(partOf(uploadId, 5, chunksOf(["b", "c"]))),
      ];
      const info = await store.completeUpload({ uploadId, parts: parts.map(named), sha256: "0".repeat(64) });
      expect(info.etag).toBe(uploadEtag(parts.map(({ etag }) => etag)));
      expect(info).toMatchObject({
        bucket: BUCKET,
        key: "k",
        sizeBytes: 3001,
        attributes,
        durability: "batched",
      });
      // A digest that the store cannot check is not kept.
      expect(info.sha256).toBeUndefined();
      expect((await store.getObject({ bucket: BUCKET, key: "k" }))?.info).toEqual(info);
      await expectCode(store.getUpload(uploadId), "UPLOAD_NOT_FOUND");
      await expectCode(store.completeUpload({ uploadId, parts: parts.map(named) }), "UPLOAD_NOT_FOUND");
      await expectCode(store.abortUpload(uploadId), "UPLOAD_NOT_FOUND");
      expect((await store.listUploads({ bucket: BUCKET })).uploads).toEqual([]);
    },
  },
  {
    name: "an upload of one part has the part's etag and digest; an upload of several parts has no digest",
    async run({ store }) {
      await withBucket(store);
      const one = await startUpload(store, "one");
      const part = await store.putPart({ ...partOf(one, 7, chunksOf(["a"])), sha256: "1".repeat(64) });
      expect(part.sha256).toBe("1".repeat(64));
      const info = await store.completeUpload({ uploadId: one, parts: [named(part)] });
      expect([info.etag, info.sha256]).toEqual([part.etag, "1".repeat(64)]);
      const two = await startUpload(store, "two");
      const parts = [
        await store.putPart(partOf(two, 1, chunksOf(["a"]))),
        await store.putPart(partOf(two, 2, chunksOf(["b"]))),
      ];
      expect((await store.completeUpload({ uploadId: two, parts: parts.map(named) })).sha256).toBeUndefined();
    },
  },
  {
    name: "a declared digest must be the digest of the only part; another one is refused and leaves the upload as it was",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      const sha256 = "1".repeat(64);
      const part = await store.putPart({ ...partOf(uploadId, 1, chunksOf(["a"])), sha256 });
      const complete = { uploadId, parts: [named(part)] };
      await expectCode(store.completeUpload({ ...complete, sha256: "2".repeat(64) }), "CHECKSUM_MISMATCH");
      expect(await keysOf(store)).toEqual([]);
      expect((await store.listParts({ uploadId })).parts).toEqual([part]);
      expect((await store.completeUpload({ ...complete, sha256 })).sha256).toBe(sha256);
      const unknown = await startUpload(store, "unknown");
      const bare = await store.putPart(partOf(unknown, 1, chunksOf(["a"])));
      const info = await store.completeUpload({ uploadId: unknown, parts: [named(bare)], sha256 });
      expect(info.sha256).toBeUndefined();
    },
  },
  {
    name: "completing with missing, differing, unordered or no parts is refused and leaves the upload as it was",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k", "old"));
      const uploadId = await startUpload(store, "k");
      const first = named(await store.putPart(partOf(uploadId, 1, chunksOf(["a"]))));
      const second = named(await store.putPart(partOf(uploadId, 2, chunksOf(["b"]))));
      const bad = [
        [],
        [second, first],
        [first, first],
        [first, { ...second, etag: "x" }],
        [first, { partNumber: 3, etag: "x" }],
      ];
      for (const parts of bad) await expectCode(store.completeUpload({ uploadId, parts }), "INVALID_PART");
      const condition = { ifNoneMatch: "*" };
      await expectCode(store.completeUpload({ uploadId, parts: [first], condition }), "PRECONDITION_FAILED");
      expect(await textOf(store, "k")).toBe("old");
      expect((await store.listParts({ uploadId })).parts).toHaveLength(2);
      expect((await store.completeUpload({ uploadId, parts: [first, second] })).sizeBytes).toBe(2000);
    },
  },
  {
    name: "a part of the same number replaces the earlier one; chunks of replaced and unchosen parts are released",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      await store.putPart(partOf(uploadId, 1, chunksOf(["old", "both"])));
      const part = await store.putPart(
        partOf(uploadId, 1, [...chunksOf(["new"]), { ...chunksOf(["old", "both"])[1]! }]),
      );
      await store.putPart(partOf(uploadId, 2, chunksOf(["unchosen"])));
      expect((await store.listParts({ uploadId })).parts.map(({ etag }) => etag)).toContain(part.etag);
      await store.completeUpload({ uploadId, parts: [named(part)] });
      const names = ["old", "new", "both", "unchosen"];
      expect(await collectable(store, names)).toEqual([]);
      expect(await dropAll(store)).toBeGreaterThan(0);
      expect(await collectable(store, names)).toEqual(["old", "unchosen"]);
      const stored = await store.getObject({ bucket: BUCKET, key: "k" });
      expect(stored?.page?.chunks).toHaveLength(2);
    },
  },
  {
    name: "an aborted upload releases its parts, and so does one that is too old",
    async run({ store }) {
      await withBucket(store);
      const aborted = await startUpload(store, "k");
      await store.putPart(partOf(aborted, 1, chunksOf(["a"])));
      await store.abortUpload(aborted);
      await expectCode(store.putPart(partOf(aborted, 2, chunksOf(["z"]))), "UPLOAD_NOT_FOUND");
      const stale = await startUpload(store, "k");
      await store.putPart(partOf(stale, 1, chunksOf(["b"])));
      expect(await store.abortStaleUploads({ olderThanMs: 3_600_000, limit: 10 })).toBe(0);
      await store.getUpload(stale);
      expect(await store.abortStaleUploads({ olderThanMs: 0, limit: 10 })).toBe(1);
      await expectCode(store.getUpload(stale), "UPLOAD_NOT_FOUND");
      await dropAll(store);
      expect(await collectable(store, ["a", "b", "z"])).toEqual(["a", "b"]);
    },
  },
  {
    name: "stale uploads are aborted in bounded steps",
    async run({ store }) {
      await withBucket(store);
      for (const key of ["a", "b", "c"]) await startUpload(store, key);
      const olderThanMs = 0;
      expect(await store.abortStaleUploads({ olderThanMs, limit: 2 })).toBe(2);
      expect(await store.abortStaleUploads({ olderThanMs, limit: 2 })).toBe(1);
      expect(await store.abortStaleUploads({ olderThanMs, limit: 2 })).toBe(0);
    },
  },
  {
    name: "uploads are listed by key, then by id, in pages and by prefix",
    async run({ store }) {
      await withBucket(store);
      const keys = ["b", "a", "a", "a/1", "é", "\u{10000}", "a\0"];
      const uploads: { key: string; uploadId: string }[] = [];
      for (const key of keys) uploads.push({ key, uploadId: await startUpload(store, key) });
      const order = (a: (typeof uploads)[number], b: (typeof uploads)[number]): number =>
        byBytes(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : 1);
      for (const limit of [1, 2, 3, 1000]) {
        const seen = [];
        let cursor: string | undefined;
        do {
          const page = await store.listUploads({ bucket: BUCKET, limit, cursor });
          expect(page.uploads.length).toBeLessThanOrEqual(limit);
          seen.push(...page.uploads.map(({ key, uploadId }) => ({ key, uploadId })));
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        expect(seen).toEqual(uploads.toSorted(order));
      }
      const { uploads: found } = await store.listUploads({ bucket: BUCKET, prefix: "a" });
      expect(found.map(({ key }) => key)).toEqual(["a", "a", "a\0", "a/1"]);
      await expectCode(store.listUploads({ bucket: BUCKET, cursor: "AAAA" }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "bad arguments of parts are refused",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      for (const partNumber of [0, -1, 1.5, 1_000_001]) {
        await expectCode(store.putPart(partOf(uploadId, partNumber, chunksOf(["a"]))), "INVALID_ARGUMENT");
      }
      await expectCode(store.putPart({ ...partOf(uploadId, 1, chunksOf(["a"])), sizeBytes: 1 }), "INVALID_ARGUMENT");
      await expectCode(store.getUpload(""), "INVALID_ARGUMENT");
    },
  },
  {
    name: "50 parts written at once are all there; of 20 writes of one part number at once one is kept",
    async run({ store }) {
      await withBucket(store);
      const uploadId = await startUpload(store, "k");
      const chunks = chunksOf(Array.from({ length: 50 }, (_, index) => `p${index}`));
      const parts = await Promise.all(
        chunks.map((chunk, index) => store.putPart(partOf(uploadId, index + 1, [chunk]))),
      );
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.putPart(partOf(uploadId, 51, chunksOf([`same${index}`])))),
      );
      const listed = (await store.listParts({ uploadId })).parts;
      expect(listed.map(({ partNumber }) => partNumber)).toEqual(Array.from({ length: 51 }, (_, index) => index + 1));
      const info = await store.completeUpload({ uploadId, parts: parts.map(named) });
      expect(info.sizeBytes).toBe(totalBytes(chunks));
    },
  },
];
