import { type ByteRange, type Durability, fixed, KIB, LIMITS, type ObjectBody } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { scriptedBody } from "../../support/bodies.ts";
import { expectCode } from "../../support/expect-code.ts";
import { sha256Hex, testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

/** Bad arguments, and arguments that are too large. */
export function argumentCases(use: UseContext): void {
  describe("a bad argument", () => {
    test.each(["", "ab", "Upper", "under_score", "a..b", "-a-", "192.168.1.1", "x".repeat(64), "grün", "a/b"])(
      "bucket name %j is INVALID_BUCKET_NAME",
      async (bucket) => {
        const { client } = use();
        await expectCode(client.createBucket({ bucket }), "INVALID_BUCKET_NAME");
        await expectCode(client.putObject({ bucket, key: "a", body: "x" }), "INVALID_BUCKET_NAME");
        await expectCode(client.getObject({ bucket, key: "a" }), "INVALID_BUCKET_NAME");
      },
    );

    test.each<[string, string]>([
      ["empty", ""],
      ["too long", "x".repeat(1025)],
      ["too long in UTF-8", "ü".repeat(513)],
      ["half a character", "a\ud83e"],
    ])("key that is %s is INVALID_ARGUMENT", async (_, key) => {
      const { client, bucket } = use();
      const name = await bucket();
      await expectCode(client.putObject({ bucket: name, key, body: "x" }), "INVALID_ARGUMENT");
      await expectCode(client.getObject({ bucket: name, key }), "INVALID_ARGUMENT");
      await expectCode(client.headObject({ bucket: name, key }), "INVALID_ARGUMENT");
      await expectCode(client.deleteObject({ bucket: name, key }), "INVALID_ARGUMENT");
    });

    test.each<[string, ByteRange]>([
      ["half a byte", { offset: 0.5 }],
      ["a negative length", { offset: 0, length: -1 }],
      ["no number", { offset: Number.NaN }],
    ])("range of %s is INVALID_ARGUMENT", async (_, range) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x" });
      await expectCode(client.getObject({ ...ref, range }), "INVALID_ARGUMENT");
    });

    test.each([0, -1, 1.5, 65, Number.NaN])("concurrency %d is INVALID_ARGUMENT", async (concurrency) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: "x", concurrency }), "INVALID_ARGUMENT");
      await expectCode(client.getObject({ ...ref, concurrency }), "INVALID_ARGUMENT");
    });

    test.each([0, -1, Number.NaN])("timeoutMs %d is INVALID_ARGUMENT", async (timeoutMs) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: "x", timeoutMs }), "INVALID_ARGUMENT");
      await expectCode(client.getObject({ ...ref, timeoutMs }), "INVALID_ARGUMENT");
    });

    test.each<[string, unknown]>([
      ["a number", 5],
      ["null", null],
      ["an object", {}],
      ["an array of numbers", [1, 2]],
    ])("body that is %s is INVALID_ARGUMENT", async (_, body) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: body as ObjectBody }), "INVALID_ARGUMENT");
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    const noNumbers = [-1, 0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "7", 7n];
    const beyondFields = [2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53];

    test.each([...noNumbers, ...beyondFields, LIMITS.PART_NUMBER_MAX + 1])(
      "number %s that is out of bounds is refused by the same code in every seat, and nothing changes",
      async (value) => {
        const { client, bucket } = use();
        const ref = { bucket: await bucket(), key: "wall" };
        const number = value as number;
        const { uploadId } = await client.createUpload(ref);
        const { etag } = await client.writePart({ uploadId, partNumber: 1, body: "part" });
        await expectCode(client.writePart({ uploadId, partNumber: number, body: "x" }), "INVALID_ARGUMENT");
        for (const before of [[], [{ partNumber: 1, etag }]]) {
          const parts = [...before, { partNumber: number, etag }];
          const error = await expectCode(client.completeUpload({ uploadId, parts }), "INVALID_PART");
          expect(error.details.outcome).toBeUndefined();
        }
        const transfer = { ...ref, concurrency: number };
        await expectCode(client.getObject(transfer), "INVALID_ARGUMENT");
        await expectCode(client.putObject({ ...transfer, body: "x" }), "INVALID_ARGUMENT");
        await expectCode(client.listObjectsPage({ bucket: ref.bucket, limit: number }), "INVALID_ARGUMENT");
        const listing = client.listObjects({ bucket: ref.bucket, pageSize: number })[Symbol.asyncIterator]();
        await expectCode(listing.next(), "INVALID_ARGUMENT");
        await client.completeUpload({ uploadId, parts: [{ partNumber: 1, etag }] });
      },
    );

    test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "7", 7n, 2 ** 53])(
      "size, length or time of %s is INVALID_ARGUMENT in every seat",
      async (value) => {
        const { client, bucket } = use();
        const ref = { bucket: await bucket(), key: "wall" };
        const number = value as number;
        await client.putObject({ ...ref, body: "0123456789" });
        await expectCode(client.putObject({ ...ref, body: scriptedBody([]), sizeBytes: number }), "INVALID_ARGUMENT");
        await expectCode(client.getObject({ ...ref, range: { offset: 0, length: number } }), "INVALID_ARGUMENT");
        if (number !== -1)
          await expectCode(client.getObject({ ...ref, range: { offset: number } }), "INVALID_ARGUMENT");
        const listing = client.listObjects({ bucket: ref.bucket, limit: number })[Symbol.asyncIterator]();
        await expectCode(listing.next(), "INVALID_ARGUMENT");
        const token = { bucket: ref.bucket, expiresInMs: number };
        await expectCode(client.createAccessToken(token), "INVALID_ARGUMENT");
      },
    );

    test.each([2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER])(
      "number %d is allowed and works, even if a field or a timer cannot hold it",
      async (number) => {
        const { client, bucket } = use();
        const ref = { bucket: await bucket(), key: "wall" };
        await client.putObject({ ...ref, body: "0123456789", timeoutMs: number });
        const got = await client.getObject({ ...ref, range: { offset: 2, length: number }, timeoutMs: number });
        expect(await got.text()).toBe("23456789");
        expect(await (await client.getObject({ ...ref, range: { offset: -number } })).text()).toBe("0123456789");
        await expectCode(client.getObject({ ...ref, range: { offset: number } }), "INVALID_RANGE");
        const keys: unknown[] = [];
        for await (const entry of client.listObjects({ bucket: ref.bucket, limit: number })) keys.push(entry);
        expect(keys).toHaveLength(1);
      },
    );

    test("list limit, delimiter or cursor is INVALID_ARGUMENT", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      await expectCode(client.listObjectsPage({ bucket: name, limit: 0 }), "INVALID_ARGUMENT");
      await expectCode(client.listObjectsPage({ bucket: name, limit: 1001 }), "INVALID_ARGUMENT");
      await expectCode(client.listObjectsPage({ bucket: name, delimiter: "" }), "INVALID_ARGUMENT");
      await expectCode(client.listObjectsPage({ bucket: name, cursor: "no cursor of ours" }), "INVALID_ARGUMENT");
    });

    test.each([["", null, 0, false, "two words", '"quoted"', "grün"]].flat())(
      "condition, object version or cursor %j is INVALID_ARGUMENT, and nothing changes",
      async (value) => {
        const { client, bucket } = use();
        const ref = { bucket: await bucket(), key: "guarded" };
        const bad = value as string;
        await client.putObject({ ...ref, body: "original" });
        await client.putObject({ ...ref, key: "other", body: "other" });
        const source = { sourceBucket: ref.bucket, sourceKey: "other" };
        const { uploadId } = await client.createUpload(ref);
        const parts = [await client.writePart({ uploadId, partNumber: 1, body: "part" })];
        for (const condition of [{ ifMatch: bad }, { ifNoneMatch: bad }]) {
          await expectCode(client.putObject({ ...ref, body: "new", ...condition }), "INVALID_ARGUMENT");
          await expectCode(client.deleteObject({ ...ref, ...condition }), "INVALID_ARGUMENT");
          await expectCode(client.copyObject({ ...ref, ...source, ...condition }), "INVALID_ARGUMENT");
          await expectCode(client.completeUpload({ uploadId, parts, ...condition }), "INVALID_ARGUMENT");
          await expectCode(client.getObject({ ...ref, ...condition }), "INVALID_ARGUMENT");
          await expectCode(client.headObject({ ...ref, ...condition }), "INVALID_ARGUMENT");
        }
        await expectCode(client.copyObject({ ...ref, ...source, sourceIfMatch: bad }), "INVALID_ARGUMENT");
        await expectCode(client.getObject({ ...ref, objectVersion: bad }), "INVALID_ARGUMENT");
        await expectCode(client.headObject({ ...ref, objectVersion: bad }), "INVALID_ARGUMENT");
        await expectCode(client.listObjectsPage({ bucket: ref.bucket, cursor: bad }), "INVALID_ARGUMENT");
        expect(await client.bucket(ref.bucket).object(ref.key).text()).toBe("original");
      },
    );

    test("null, or a value of another type, is INVALID_ARGUMENT wherever it is not allowed", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "original" });
      const any = client as unknown as Record<string, (input?: unknown) => Promise<unknown>>;
      const calls: [string, unknown][] = [
        ["headObject", undefined],
        ["headObject", "wall"],
        ["createBucket", { bucket: "never-made", ifMissing: "yes" }],
        ["listBuckets", { timeoutMs: null }],
        ["getObject", { ...ref, signal: new AbortController() }],
        ...["signal", "range", "concurrency", "timeoutMs", "onProgress"].map((name): [string, unknown] => [
          "getObject",
          { ...ref, [name]: null },
        ]),
        ...["metadata", "contentType", "chunker", "durability", "sha256", "sizeBytes", "onProgress"].map(
          (name): [string, unknown] => ["putObject", { ...ref, body: "new", [name]: null }],
        ),
        ["putObject", { ...ref, body: "new", sizeBytes: "3" }],
        ["putObject", { ...ref, body: "new", metadata: new Map([["a", "b"]]) }],
        ["putObject", { ...ref, body: "new", metadata: new Headers({ a: "b" }) }],
        ["putObject", { ...ref, body: "new", metadata: "a=b" }],
        ["putObject", { ...ref, body: "new", metadata: JSON.parse('{"__proto__":"b"}') }],
        ["copyObject", { ...ref, sourceBucket: ref.bucket, sourceKey: "wall", metadata: null }],
        ["deleteObjects", { bucket: ref.bucket }],
        ["deleteObjects", { bucket: ref.bucket, keys: new Set(["wall"]) }],
        ["deleteObjects", { bucket: ref.bucket, keys: "wall" }],
        ["listObjectsPage", { bucket: ref.bucket, prefix: null }],
        ["listObjectsPage", { bucket: ref.bucket, startAfter: 5 }],
        ["listObjectsPage", { bucket: ref.bucket, limit: null }],
        ["writePart", { uploadId: "", partNumber: 1, body: "x" }],
      ];
      for (const [name, input] of calls) await expectCode(any[name]!(input), "INVALID_ARGUMENT");
      const { uploadId } = await client.createUpload(ref);
      for (const parts of [undefined, null, [], [null], "parts"])
        await expectCode(any.completeUpload!({ uploadId, parts }), "INVALID_PART");
      expect(await client.bucket(ref.bucket).object(ref.key).text()).toBe("original");
    });

    test.each<[string, Readonly<Record<string, string>>]>([
      ["plain", { author: "me" }],
      ["without a prototype", Object.assign(Object.create(null) as Record<string, string>, { author: "me" })],
      ["a Proxy that lists its members", new Proxy({ author: "me" }, {})],
      ["frozen", Object.freeze({ author: "me" })],
      [
        "of names that mean something elsewhere",
        { digest: "a", constructor: "b", tojson: "c", length: "d", valueof: "e" },
      ],
    ])("metadata that is %s is kept", async (_, metadata) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x", metadata });
      expect((await client.headObject(ref)).metadata).toEqual({ ...metadata });
      const { uploadId } = await client.createUpload({ ...ref, metadata });
      const parts = [await client.writePart({ uploadId, partNumber: 1, body: "x" })];
      expect((await client.completeUpload({ uploadId, parts })).metadata).toEqual({ ...metadata });
    });

    test("undefined is the same as not given", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const none = { ifMatch: undefined, ifNoneMatch: undefined, signal: undefined, timeoutMs: undefined };
      await client.putObject({ ...ref, ...none, body: "x", metadata: undefined, sizeBytes: undefined });
      await client.getObject({ ...ref, ...none, range: undefined, objectVersion: undefined });
      await client.listObjectsPage({ bucket: ref.bucket, cursor: undefined, limit: undefined, delimiter: undefined });
    });

    test.each<[string, unknown]>([
      [
        "an instance of a class, with getters",
        new (class {
          get author() {
            return "me";
          }
        })(),
      ],
      [
        "an instance of a class, with fields",
        new (class {
          author = "me";
        })(),
      ],
      ["an object with an inherited member", Object.create({ author: "me" })],
      ["of symbols", { [Symbol("author")]: "me" }],
      ["of hidden members", Object.defineProperty({}, "author", { value: "me", enumerable: false })],
      ["a Proxy that lists nothing", new Proxy({}, { get: () => "me" })],
      [
        "a getter that throws",
        {
          get author(): string {
            throw new Error("no");
          },
        },
      ],
      ["an array", ["me"]],
      ["an empty array", []],
    ])("metadata that is %s is INVALID_ARGUMENT, and not stored empty", async (_, given) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const metadata = given as Record<string, string>;
      await expectCode(client.putObject({ ...ref, body: "x", metadata }), "INVALID_ARGUMENT");
      await expectCode(client.createUpload({ ...ref, metadata }), "INVALID_ARGUMENT");
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
      await client.putObject({ ...ref, body: "x", metadata: { author: "me" } });
      const source = { sourceBucket: ref.bucket, sourceKey: ref.key };
      await expectCode(client.copyObject({ ...ref, ...source, key: "copy", metadata }), "INVALID_ARGUMENT");
    });

    test("number of keys to delete at once is INVALID_ARGUMENT", async () => {
      const { client, bucket } = use();
      const keys = Array.from({ length: LIMITS.DELETE_MANY_MAX + 1 }, (_, index) => `k${index}`);
      await expectCode(client.deleteObjects({ bucket: await bucket(), keys }), "INVALID_ARGUMENT");
    });

    test.each(["", "fast", "STRICT", "constructor", 5])("durability %j is INVALID_ARGUMENT", async (value) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const durability = value as Durability;
      for (const sizeBytes of [10, 100 * KIB]) {
        const body = scriptedBody([testBytes(sizeBytes)]);
        await expectCode(client.putObject({ ...ref, body, durability }), "INVALID_ARGUMENT");
        expect(body.pulls).toBe(0);
      }
      await expectCode(client.createUpload({ ...ref, durability }), "INVALID_ARGUMENT");
    });

    test.each<[string, unknown]>([
      ["empty", ""],
      ["short", "ab"],
      ["long", "ab".repeat(33)],
      ["no hex", "xy".repeat(32)],
      ["no text", 5],
    ])("sha256 that is %s is INVALID_ARGUMENT, before the body is read", async (_, value) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const sha256 = value as string;
      const body = scriptedBody([testBytes(10)]);
      await expectCode(client.putObject({ ...ref, body, sha256 }), "INVALID_ARGUMENT");
      const { uploadId } = await client.createUpload(ref);
      await expectCode(client.writePart({ uploadId, partNumber: 1, body, sha256 }), "INVALID_ARGUMENT");
      expect(body.pulls).toBe(0);
      const { etag } = await client.writePart({ uploadId, partNumber: 1, body: "x" });
      const parts = [{ partNumber: 1, etag }];
      await expectCode(client.completeUpload({ uploadId, parts, sha256 }), "INVALID_ARGUMENT");
    });

    test("case of a sha256 does not matter: upper case is the same digest", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = testBytes(10);
      const sha256 = sha256Hex(body).toUpperCase();
      await client.putObject({ ...ref, body, sha256 });
      const { uploadId } = await client.createUpload(ref);
      const { etag } = await client.writePart({ uploadId, partNumber: 1, body, sha256 });
      await client.completeUpload({ uploadId, parts: [{ partNumber: 1, etag }], sha256 });
      expect((await client.headObject(ref)).sha256).toBe(sha256.toLowerCase());
    });

    test("digest is CHECKSUM_MISMATCH, and nothing is written", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      for (const sizeBytes of [10, 100 * KIB]) {
        const sha256 = sha256Hex(testBytes(sizeBytes, 2));
        await expectCode(client.putObject({ ...ref, body: testBytes(sizeBytes), sha256 }), "CHECKSUM_MISMATCH");
      }
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });
  });

  describe("too large", () => {
    test("a declared size over the largest object is OBJECT_TOO_LARGE, before the body is read", async () => {
      const { client, bucket } = use();
      const body = scriptedBody([testBytes(10)]);
      const sizeBytes = LIMITS.OBJECT_MAX_BYTES + 1;
      await expectCode(client.putObject({ bucket: await bucket(), key: "a", body, sizeBytes }), "OBJECT_TOO_LARGE");
      expect(body.pulls).toBe(0);
    });

    test("a chunk over what the store takes is OBJECT_TOO_LARGE, and nothing is written", {
      timeout: 60_000,
    }, async () => {
      const { client, bucket, subject } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = new Uint8Array(subject.chunkMaxBytes + 64 * KIB);
      await expectCode(client.putObject({ ...ref, body, chunker: fixed(body.byteLength) }), "OBJECT_TOO_LARGE");
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    test("a body longer or shorter than declared is INVALID_ARGUMENT, and nothing is written", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      for (const sizeBytes of [100 * KIB - 1, 100 * KIB + 1]) {
        const body = scriptedBody([testBytes(100 * KIB)]);
        await expectCode(client.putObject({ ...ref, body, sizeBytes }), "INVALID_ARGUMENT");
      }
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });
  });
}
