import { expect } from "vitest";
import type { CommitObject, ObjectAttributes } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import {
  ADVERSARIAL_KEYS,
  BUCKET,
  byBytes,
  chunkedCommit,
  chunksOf,
  inlineCommit,
  keysOf,
  textOf,
  withBucket,
} from "./fixtures.ts";

const ATTRIBUTES: ObjectAttributes = {
  contentType: "text/plain; charset=utf-8",
  cacheControl: "no-store",
  contentDisposition: 'attachment; filename="ä.txt"',
  contentEncoding: "gzip",
  contentLanguage: "de",
  expires: "Wed, 21 Oct 2026 07:28:00 GMT",
  metadata: { color: "blue", "x-umlaut": "ä\u{1f600}", constructor: "own", empty: "" },
};

const BAD_COMMITS: ReadonlyArray<readonly [string, Partial<CommitObject>]> = [
  ["an empty key", { key: "" }],
  ["a key of 1,025 bytes", { key: "k".repeat(1025) }],
  ["a key of 1,026 bytes in 513 characters", { key: "é".repeat(513) }],
  ["a key with a lone surrogate", { key: "a\ud800b" }],
  ["a size that is not that of the bytes", { sizeBytes: 4 }],
  ["a negative size", { sizeBytes: -1 }],
  ["an empty etag", { etag: "" }],
  ["an etag with quotes", { etag: '"abc"' }],
  ["a malformed digest", { sha256: "abc" }],
  ["an unknown durability", { durability: "weak" as "os" }],
  ["no chunks", { content: { chunks: [] } }],
  ["chunks of another total", { content: { chunks: chunksOf(["a"]) } }],
  ["a negative layout", chunkedCommit("k", chunksOf(["a"]), { layoutVersion: -1 })],
  ["a metadata value with a line break", { attributes: { metadata: { a: "b\r\nc" } } }],
  ["a metadata name with a blank", { attributes: { metadata: { "a b": "c" } } }],
  ["metadata names that differ only in case", { attributes: { metadata: { A: "1", a: "2" } } }],
  ["too much metadata", { attributes: { metadata: { a: "x".repeat(8193) } } }],
  ["a content type with a NUL", { attributes: { contentType: "text/\0" } }],
];

export const COMMIT_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a committed object is read as it was committed, with its attributes",
    async run({ store }) {
      await withBucket(store);
      const commit = inlineCommit("k", "hello", { attributes: ATTRIBUTES });
      const info = await store.commitObject(commit);
      const stored = await store.getObject({ bucket: BUCKET, key: "k" });
      expect(stored).toEqual({ info, inline: new TextEncoder().encode("hello") });
      const { bucket, key, sizeBytes, etag, sha256, durability, attributes } = info;
      expect({ bucket, key, sizeBytes, etag, sha256, durability, attributes }).toEqual({
        ...{ bucket: BUCKET, key: "k", sizeBytes: 5, etag: commit.etag, sha256: commit.sha256 },
        ...{ durability: "strict", attributes: ATTRIBUTES },
      });
    },
  },
  {
    name: "an object without a content type has the default one, and metadata names are in lower case",
    async run({ store }) {
      await withBucket(store);
      const info = await store.commitObject(inlineCommit("k", "k", { attributes: { metadata: { Color: "Blue" } } }));
      expect(info.attributes).toEqual({ contentType: "application/octet-stream", metadata: { color: "Blue" } });
    },
  },
  {
    name: "an empty object is an object",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("empty", ""));
      const stored = await store.getObject({ bucket: BUCKET, key: "empty" });
      expect(stored?.info.sizeBytes).toBe(0);
      expect(stored?.inline).toEqual(new Uint8Array(0));
    },
  },
  {
    name: "the store keeps its own copy of inline bytes: later changes of the caller's buffers change nothing",
    async run({ store }) {
      await withBucket(store);
      const inline = new TextEncoder().encode("hello");
      await store.commitObject({ ...inlineCommit("k", "hello"), content: { inline } });
      inline.fill(0);
      const first = await store.getObject({ bucket: BUCKET, key: "k" });
      first?.inline?.fill(0);
      expect(await textOf(store, "k")).toBe("hello");
    },
  },
  {
    name: "every adversarial key is a key of its own, and all are listed in the order of their bytes",
    async run({ store }) {
      await withBucket(store);
      await Promise.all(ADVERSARIAL_KEYS.map((key) => store.commitObject(inlineCommit(key, `text of ${key}`))));
      for (const key of ADVERSARIAL_KEYS) expect(await textOf(store, key)).toBe(`text of ${key}`);
      expect(await keysOf(store)).toEqual([...ADVERSARIAL_KEYS].sort(byBytes));
      expect(await keysOf(store, { limit: 7 })).toEqual([...ADVERSARIAL_KEYS].sort(byBytes));
      for (const key of ADVERSARIAL_KEYS) expect(await store.deleteObject({ bucket: BUCKET, key })).toBe(true);
      expect(await keysOf(store)).toEqual([]);
    },
  },
  {
    name: "a key belongs to its bucket",
    async run({ store }) {
      await withBucket(store);
      await store.createBucket("case-bucket-2");
      await store.commitObject(inlineCommit("k", "one"));
      await store.commitObject(inlineCommit("k", "two", { bucket: "case-bucket-2" }));
      expect(await textOf(store, "k")).toBe("one");
      await store.deleteObject({ bucket: BUCKET, key: "k" });
      expect(await textOf(store, "k", "case-bucket-2")).toBe("two");
      expect((await store.listObjects({ bucket: "case-bucket-2" })).objects).toHaveLength(1);
    },
  },
  {
    name: "an overwrite is a new version, and the old one is gone",
    async run({ store }) {
      await withBucket(store);
      const first = await store.commitObject(inlineCommit("k", "one"));
      const second = await store.commitObject(inlineCommit("k", "two"));
      expect(second.objectVersion).not.toBe(first.objectVersion);
      expect(second.createdAtMs).toBeGreaterThanOrEqual(first.createdAtMs);
      expect(await textOf(store, "k")).toBe("two");
      expect(await keysOf(store)).toEqual(["k"]);
      const at = { bucket: BUCKET, key: "k" };
      expect(await store.getObject({ ...at, objectVersion: first.objectVersion })).toBeUndefined();
      expect((await store.getObject({ ...at, objectVersion: second.objectVersion }))?.info).toEqual(second);
    },
  },
  {
    name: "inline and chunked content replace each other",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(inlineCommit("k", "one"));
      await store.commitObject(chunkedCommit("k", chunksOf(["a"])));
      expect((await store.getObject({ bucket: BUCKET, key: "k" }))?.inline).toBeUndefined();
      await store.commitObject(inlineCommit("k", "three"));
      const stored = await store.getObject({ bucket: BUCKET, key: "k" });
      expect([stored?.manifestId, stored?.page]).toEqual([undefined, undefined]);
      expect(await textOf(store, "k")).toBe("three");
    },
  },
  {
    name: "bad arguments of a commit are refused, and nothing is kept",
    async run({ store }) {
      await withBucket(store);
      for (const [what, change] of BAD_COMMITS) {
        const code = await store.commitObject({ ...inlineCommit("k"), ...change }).then(
          () => "none",
          (error: { readonly code?: string }) => error.code,
        );
        expect(code, what).toBe("INVALID_ARGUMENT");
      }
      await expectCode(store.commitObject(inlineCommit("k", "x".repeat(1024 * 1024 + 1))), "OBJECT_TOO_LARGE");
      expect(await keysOf(store)).toEqual([]);
    },
  },
  {
    name: "a chunk whose size differs from the size that the store knows is refused, and no count is raised",
    async run({ store }) {
      await withBucket(store);
      await store.commitObject(chunkedCommit("k", chunksOf(["a", "b"])));
      await expectCode(store.commitObject(chunkedCommit("l", chunksOf(["new", "b"], 5000))), "INVALID_ARGUMENT");
      const [a] = chunksOf(["a"]);
      await expectCode(store.commitObject(chunkedCommit("m", [a!, { ...a!, sizeBytes: 7 }])), "INVALID_ARGUMENT");
      expect(await keysOf(store)).toEqual(["k"]);
      expect(await store.knowsChunks(chunksOf(["a", "b", "new"]).map((chunk) => chunk.chunkId))).toEqual([
        true,
        true,
        false,
      ]);
    },
  },
  {
    name: "a commit under a layout that was never written is refused",
    async run({ store }) {
      await withBucket(store);
      await expectCode(store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 1 })), "LAYOUT_STALE");
      await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
      await store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 1 }));
      await expectCode(store.commitObject(chunkedCommit("k", chunksOf(["a"]), { layoutVersion: 2 })), "LAYOUT_STALE");
    },
  },
];
