import { KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { scriptedBody, slices } from "../../support/bodies.ts";
import { expectCode } from "../../support/expect-code.ts";
import type { UseContext } from "../subject.ts";

const nowhere = { bucket: "no-such-bucket", key: "wall" };

/** What is not there has a code of its own, the same everywhere. */
export function missingCases(use: UseContext): void {
  describe("a bucket that is not there is BUCKET_NOT_FOUND", () => {
    test("for reads, lists and deletes", async () => {
      const { client, bucket } = use();
      const { bucket: name } = nowhere;
      await expectCode(client.headBucket({ bucket: name }), "BUCKET_NOT_FOUND");
      await expectCode(client.getObject(nowhere), "BUCKET_NOT_FOUND");
      await expectCode(client.headObject(nowhere), "BUCKET_NOT_FOUND");
      await expectCode(client.deleteObject(nowhere), "BUCKET_NOT_FOUND");
      await expectCode(client.deleteObjects({ bucket: name, keys: ["a"] }), "BUCKET_NOT_FOUND");
      await expectCode(client.listObjectsPage({ bucket: name }), "BUCKET_NOT_FOUND");
      await expectCode(client.deleteBucket({ bucket: name }), "BUCKET_NOT_FOUND");
      await expectCode(client.createUpload(nowhere), "BUCKET_NOT_FOUND");
      const source = { sourceBucket: await bucket(), sourceKey: "a" };
      const target = { bucket: source.sourceBucket, key: "target" };
      const copy = client.copyObject({ ...target, sourceBucket: name, sourceKey: "a" });
      const { details } = await expectCode(copy, "BUCKET_NOT_FOUND");
      expect([details.bucket, details.key]).toEqual([name, undefined]);
      await expectCode(client.copyObject({ ...nowhere, sourceBucket: name, sourceKey: "a" }), "BUCKET_NOT_FOUND");
      await client.putObject({ bucket: source.sourceBucket, key: "a", body: "x" });
      await expectCode(client.copyObject({ ...nowhere, ...source }), "BUCKET_NOT_FOUND");
    });

    test("for a small write", async () => {
      await expectCode(use().client.putObject({ ...nowhere, body: "x" }), "BUCKET_NOT_FOUND");
    });

    test("for a large write, long before its body is used up", async () => {
      const body = scriptedBody(slices(400, 256 * KIB));
      await expectCode(use().client.putObject({ ...nowhere, body }), "BUCKET_NOT_FOUND");
      expect(body.pulls).toBeLessThan(200);
      expect(body.returned).toBe(true);
    });
  });

  describe("an object that is not there", () => {
    test("is OBJECT_NOT_FOUND for reads and copies, and nothing to delete", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const error = await expectCode(client.getObject(ref), "OBJECT_NOT_FOUND");
      expect(error.details).toMatchObject(ref);
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
      const copy = await expectCode(
        client.copyObject({ ...ref, key: "b", sourceBucket: ref.bucket, sourceKey: "wall" }),
        "OBJECT_NOT_FOUND",
      );
      expect(copy.details).toMatchObject(ref);
      expect(await client.deleteObject(ref)).toBe(false);
    });

    test("is OBJECT_NOT_FOUND after it was deleted", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x" });
      expect(await client.deleteObject(ref)).toBe(true);
      await expectCode(client.getObject(ref), "OBJECT_NOT_FOUND");
      expect(await client.deleteObject(ref)).toBe(false);
    });
  });

  describe("an upload that is not there", () => {
    test("is UPLOAD_NOT_FOUND", async () => {
      const { client, bucket } = use();
      await bucket();
      const uploadId = "no-such-upload";
      await expectCode(client.writePart({ uploadId, partNumber: 1, body: "x" }), "UPLOAD_NOT_FOUND");
      await expectCode(client.completeUpload({ uploadId, parts: [{ partNumber: 1, etag: "x" }] }), "UPLOAD_NOT_FOUND");
      await expectCode(client.abortUpload({ uploadId }), "UPLOAD_NOT_FOUND");
      await expectCode(client.listParts({ uploadId })[Symbol.asyncIterator]().next(), "UPLOAD_NOT_FOUND");
    });
  });
}
