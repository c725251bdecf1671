import { fixed, KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;

/** Deletes and copies. */
export function removalCases(use: UseContext): void {
  describe("deleting", () => {
    test("many keys tells the outcome of each", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      for (const key of ["a", "b", "c"]) await client.putObject({ bucket: name, key, body: key });
      const outcomes = await client.deleteObjects({ bucket: name, keys: ["a", "none", "c"] });
      expect(outcomes).toMatchObject([
        { key: "a", deleted: true },
        { key: "none", deleted: false },
        { key: "c", deleted: true },
      ]);
      expect(outcomes.every((outcome) => outcome.error === undefined)).toBe(true);
      expect((await client.listObjectsPage({ bucket: name })).objects.map((each) => each.key)).toEqual(["b"]);
    });

    test("many keys goes on after one that fails", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      await client.putObject({ bucket: name, key: "b", body: "x" });
      const [bad, good] = await client.deleteObjects({ bucket: name, keys: ["x".repeat(2000), "b"] });
      expect(bad).toMatchObject({ deleted: false, error: { code: "INVALID_ARGUMENT" } });
      expect(good).toEqual({ key: "b", deleted: true });
    });

    test("no keys is no error", async () => {
      const { client, bucket } = use();
      expect(await client.deleteObjects({ bucket: await bucket(), keys: [] })).toEqual([]);
    });

    test("does not end a read that has begun", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: testBytes(10 * CHUNK), chunker: fixed(CHUNK) });
      const got = await client.getObject({ ...ref, concurrency: 1 });
      await client.deleteObject(ref);
      expect(await got.bytes()).toEqual(testBytes(10 * CHUNK));
    });
  });

  describe("a copy", () => {
    test.each([
      ["inline", 100],
      ["chunked", 3 * CHUNK + 1],
    ])("of an object that is %s has its bytes, and lives on without it", async (_, sizeBytes) => {
      const { client, bucket } = use();
      const source = { bucket: await bucket(), key: "wall" };
      const target = { bucket: await bucket(), key: "copy" };
      const body = testBytes(sizeBytes);
      const put = await client.putObject({ ...source, body, chunker: fixed(CHUNK), contentType: "text/plain" });
      const copy = await client.copyObject({ ...target, sourceBucket: source.bucket, sourceKey: source.key });
      expect(copy).toMatchObject({ ...target, sizeBytes, etag: put.etag, sha256: put.sha256 });
      expect(copy.contentType).toBe("text/plain");
      await client.deleteObject(source);
      expect(await (await client.getObject(target)).bytes()).toEqual(body);
    });

    test("can take other attributes", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x", contentType: "text/plain", metadata: { a: "1" } });
      const attributes = { contentType: "text/html", metadata: { b: "grün" } };
      await client.copyObject({ ...ref, sourceBucket: ref.bucket, sourceKey: ref.key, ...attributes });
      const found = await client.headObject(ref);
      expect(found.contentType).toBe("text/html");
      expect(found.metadata).toEqual({ b: "grün" });
    });

    test("under conditions on source and target", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const { etag } = await client.putObject({ bucket: name, key: "a", body: "x" });
      const copy = { bucket: name, key: "b", sourceBucket: name, sourceKey: "a" };
      await expectCode(client.copyObject({ ...copy, sourceIfMatch: "other" }), "PRECONDITION_FAILED");
      await client.copyObject({ ...copy, sourceIfMatch: etag, ifNoneMatch: "*" });
      await expectCode(client.copyObject({ ...copy, ifNoneMatch: "*" }), "PRECONDITION_FAILED");
    });
  });

  describe("moving", () => {
    test.for([0, 10, 3 * CHUNK + 7])("gives %i bytes another name, with what they carry", async (sizeBytes) => {
      const { client, bucket } = use();
      const source = { bucket: await bucket(), key: "a" };
      const target = { bucket: await bucket(), key: "b" };
      const body = testBytes(sizeBytes);
      const put = await client.putObject({ ...source, body, chunker: fixed(CHUNK), contentType: "text/plain" });
      await client.putObject({ ...target, body: "replaced" });
      const moved = await client.moveObject({ ...target, sourceBucket: source.bucket, sourceKey: source.key });
      expect(moved).toMatchObject({ ...target, sizeBytes, etag: put.etag, sha256: put.sha256 });
      expect(moved.contentType).toBe("text/plain");
      await expectCode(client.headObject(source), "OBJECT_NOT_FOUND");
      expect(await (await client.getObject(target)).bytes()).toEqual(body);
    });

    test("under conditions on source and target, and to another name only", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const { etag } = await client.putObject({ bucket: name, key: "a", body: "x" });
      await client.putObject({ bucket: name, key: "b", body: "y" });
      const move = { bucket: name, key: "b", sourceBucket: name, sourceKey: "a" };
      await expectCode(client.moveObject({ ...move, key: "a" }), "INVALID_ARGUMENT");
      await expectCode(client.moveObject({ ...move, sourceIfMatch: "other" }), "PRECONDITION_FAILED");
      await expectCode(client.moveObject({ ...move, ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      await client.moveObject({ ...move, sourceIfMatch: etag });
      const missing = await expectCode(client.moveObject(move), "OBJECT_NOT_FOUND");
      expect(missing.details).toMatchObject({ bucket: name, key: "a" });
      expect(await client.bucket(name).object("b").text()).toBe("x");
    });
  });
}
