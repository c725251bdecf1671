import { KIB, LIMITS, type PartInfo } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { sha256Hex, testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const PART = 150 * KIB;

async function take<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

const named = ({ partNumber, etag }: PartInfo): { partNumber: number; etag: string } => ({ partNumber, etag });

/** Uploads in parts. */
export function multipartCases(use: UseContext): void {
  describe("a multipart upload", () => {
    test("joins its parts in the order of their numbers, whatever the order of writing", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { uploadId } = await client.createUpload({ ...ref, contentType: "text/plain", metadata: { a: "ä" } });
      const bytes = testBytes(2 * PART + 10);
      const parts = [
        await client.writePart({ uploadId, partNumber: 7, body: bytes.subarray(2 * PART) }),
        await client.writePart({ uploadId, partNumber: 2, body: bytes.subarray(PART, 2 * PART) }),
        await client.writePart({ uploadId, partNumber: 1, body: bytes.subarray(0, PART) }),
      ].toSorted((a, b) => a.partNumber - b.partNumber);
      expect(parts[0]).toMatchObject({ partNumber: 1, sizeBytes: PART, sha256: sha256Hex(bytes.subarray(0, PART)) });
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
      const info = await client.completeUpload({ uploadId, parts: parts.map(named) });
      expect(info).toMatchObject({ ...ref, sizeBytes: bytes.byteLength });
      expect(info).toMatchObject({ contentType: "text/plain", metadata: { a: "ä" } });
      expect(await (await client.getObject(ref)).bytes()).toEqual(bytes);
      const range = { offset: PART - 5, length: 10 };
      expect(await (await client.getObject({ ...ref, range })).bytes()).toEqual(bytes.subarray(PART - 5, PART + 5));
    });

    test("takes only the parts that are named, and the last of each number", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { uploadId } = await client.createUpload(ref);
      const old = await client.writePart({ uploadId, partNumber: 1, body: testBytes(PART, 1) });
      const part = await client.writePart({ uploadId, partNumber: 1, body: testBytes(PART, 2) });
      await client.writePart({ uploadId, partNumber: 2, body: testBytes(PART, 3) });
      await expectCode(client.completeUpload({ uploadId, parts: [named(old)] }), "INVALID_PART");
      await client.completeUpload({ uploadId, parts: [named(part)] });
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(PART, 2));
    });

    test("lists its parts, and is listed while it is open", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall/1" };
      const { uploadId } = await client.createUpload(ref);
      for (const partNumber of [3, 1, 2]) await client.writePart({ uploadId, partNumber, body: `part ${partNumber}` });
      const parts = await take(client.listParts({ uploadId }));
      expect(parts.map((part) => part.partNumber)).toEqual([1, 2, 3]);
      expect(parts[0]).toMatchObject({ sizeBytes: 6 });
      const uploads = (prefix?: string): Promise<readonly string[]> =>
        take(client.listUploads({ bucket: ref.bucket, prefix })).then((all) => all.map((each) => each.uploadId));
      expect(await uploads()).toEqual([uploadId]);
      expect(await uploads("wall/")).toEqual([uploadId]);
      expect(await uploads("other")).toEqual([]);
      await client.completeUpload({ uploadId, parts: parts.map(named) });
      expect(await uploads()).toEqual([]);
      expect(await (await client.getObject(ref)).text()).toBe("part 1part 2part 3");
    });

    test("that is aborted leaves nothing", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { uploadId } = await client.createUpload(ref);
      const part = await client.writePart({ uploadId, partNumber: 1, body: testBytes(PART) });
      await client.abortUpload({ uploadId });
      await expectCode(client.completeUpload({ uploadId, parts: [named(part)] }), "UPLOAD_NOT_FOUND");
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    test("is not completed by parts that are missing, of another etag, out of order, or none, and stays open", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { uploadId } = await client.createUpload(ref);
      const one = named(await client.writePart({ uploadId, partNumber: 1, body: "a" }));
      const two = named(await client.writePart({ uploadId, partNumber: 2, body: "b" }));
      const bad = [[one, { partNumber: 3, etag: "x" }], [{ ...one, etag: two.etag }], [two, one], [one, one], []];
      for (const parts of bad) await expectCode(client.completeUpload({ uploadId, parts }), "INVALID_PART");
      await client.completeUpload({ uploadId, parts: [one, two] });
      expect(await (await client.getObject(ref)).text()).toBe("ab");
    });

    test.each([LIMITS.PART_NUMBER_MAX + 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53, -1, 1.5])(
      "is not completed by a part of number %d, which some fields of the wire cannot hold",
      async (partNumber) => {
        const { client, bucket } = use();
        const { uploadId } = await client.createUpload({ bucket: await bucket(), key: "wall" });
        const one = named(await client.writePart({ uploadId, partNumber: 1, body: "a" }));
        const parts = [one, { ...one, partNumber }];
        const error = await expectCode(client.completeUpload({ uploadId, parts }), "INVALID_PART");
        expect(error.details.outcome).toBeUndefined();
        await client.completeUpload({ uploadId, parts: [one] });
      },
    );

    test("is completed under a condition", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x" });
      const { uploadId } = await client.createUpload(ref);
      const parts = [named(await client.writePart({ uploadId, partNumber: 1, body: "a" }))];
      await expectCode(client.completeUpload({ uploadId, parts, ifNoneMatch: "*" }), "PRECONDITION_FAILED");
      await client.completeUpload({ uploadId, parts });
    });

    test.each([0, -1, 1.5, 1_000_001])("refuses part number %d", async (partNumber) => {
      const { client, bucket } = use();
      const { uploadId } = await client.createUpload({ bucket: await bucket(), key: "wall" });
      await expectCode(client.writePart({ uploadId, partNumber, body: "x" }), "INVALID_ARGUMENT");
    });

    test("refuses a part of the wrong digest", async () => {
      const { client, bucket } = use();
      const { uploadId } = await client.createUpload({ bucket: await bucket(), key: "wall" });
      const sha256 = sha256Hex(testBytes(1));
      await expectCode(client.writePart({ uploadId, partNumber: 1, body: "xy", sha256 }), "CHECKSUM_MISMATCH");
      expect(await take(client.listParts({ uploadId }))).toEqual([]);
    });
  });
}
