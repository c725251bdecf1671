import type { PutOptions } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { readAll } from "../../support/test-bytes.ts";
import { wreck } from "../../support/wreck.ts";
import type { UseContext } from "../subject.ts";

/** Calls whose input is changed right after the call: they use what it was before. */
export function takenInputCases(use: UseContext): void {
  /** Makes a call, and changes all of its input in the same turn. */
  function wrecked<Input extends object, Answer>(call: (input: Input) => Answer, input: Input): Answer {
    const answer = call(input);
    wreck(input);
    return answer;
  }

  async function listed<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
    const all: Item[] = [];
    for await (const item of items) all.push(item);
    return all;
  }

  describe("an input that is changed right after the call", () => {
    test("changes nothing of a call on buckets", async () => {
      const { client, bucket } = use();
      const name = `${await bucket()}-made`;
      expect(await wrecked(client.createBucket, { bucket: name })).toMatchObject({ bucket: name });
      expect(await wrecked(client.createBucket, { bucket: name, ifMissing: true })).toMatchObject({ bucket: name });
      expect(await wrecked(client.headBucket, { bucket: name, timeoutMs: 60_000 })).toMatchObject({ bucket: name });
      await wrecked(client.listBuckets, { timeoutMs: 60_000 });
      await wrecked(client.deleteBucket, { bucket: name });
      await expectCode(wrecked(client.headBucket, { bucket: name }), "BUCKET_NOT_FOUND");
    });

    test("changes nothing of a call on objects", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const ref = { bucket: name, key: "wall" };
      const metadata = { author: "me" };
      const { etag } = await wrecked(client.putObject, {
        ...ref,
        ...{ body: "0123456789", sizeBytes: 10, contentType: "text/plain", metadata, ifNoneMatch: "*" },
      });
      expect(await wrecked(client.headObject, { ...ref, ifMatch: etag })).toMatchObject({
        ...{ contentType: "text/plain", metadata: { author: "me" } },
      });
      const got = await wrecked(client.getObject, { ...ref, range: { offset: 2, length: 3 }, ifMatch: etag });
      expect(await got.text()).toBe("234");
      const copy = { bucket: name, key: "copy", sourceBucket: name, sourceKey: "wall", sourceIfMatch: etag };
      expect(await wrecked(client.copyObject, { ...copy, metadata: { author: "you" } })).toMatchObject({
        ...{ key: "copy", metadata: { author: "you" } },
      });
      for (const key of ["a1", "a2", "a3"]) await client.putObject({ bucket: name, key, body: key });
      const keysOf = (entries: readonly object[]): unknown[] => entries.map((entry) => "key" in entry && entry.key);
      const listing = wrecked(client.listObjects, { bucket: name, prefix: "a", limit: 2, pageSize: 1 });
      expect(keysOf(await listed(listing))).toEqual(["a1", "a2"]);
      const page = await wrecked(client.listObjectsPage, { bucket: name, prefix: "a", startAfter: "a1", limit: 1 });
      expect(keysOf(page.objects)).toEqual(["a2"]);
      expect(await wrecked(client.deleteObject, { ...ref, ifMatch: etag })).toBe(true);
      const outcomes = await wrecked(client.deleteObjects, { bucket: name, keys: ["a1", "a3"] });
      expect(outcomes.map(({ key, deleted }) => [key, deleted])).toEqual([
        ["a1", true],
        ["a3", true],
      ]);
      expect(keysOf(await listed(client.listObjects({ bucket: name })))).toEqual(["a2", "copy"]);
    });

    test("changes nothing of a call on uploads", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { uploadId } = await wrecked(client.createUpload, { ...ref, metadata: { author: "me" } });
      const { etag } = await wrecked(client.writePart, { uploadId, partNumber: 7, body: "part" });
      expect(await listed(wrecked(client.listParts, { uploadId }))).toMatchObject([{ partNumber: 7, etag }]);
      const uploads = wrecked(client.listUploads, { bucket: ref.bucket, prefix: "wa" });
      expect(await listed(uploads)).toMatchObject([{ uploadId, metadata: { author: "me" } }]);
      const parts = [{ partNumber: 7, etag }];
      await wrecked(client.completeUpload, { uploadId, parts, ifNoneMatch: "*" });
      expect(await client.bucket(ref.bucket).object("wall").text()).toBe("part");
      const other = await client.createUpload(ref);
      await wrecked(client.abortUpload, { uploadId: other.uploadId });
      expect(await listed(client.listUploads({ bucket: ref.bucket }))).toEqual([]);
    });

    test("changes nothing of a call of a handle", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const box = client.bucket(name);
      const wall = box.object("wall");
      await wrecked((options: PutOptions) => wall.put("0123456789", options), { metadata: { author: "me" } });
      expect(await wrecked(wall.head, { timeoutMs: 60_000 })).toMatchObject({ metadata: { author: "me" } });
      expect(await (await wrecked(wall.get, { range: { offset: 2, length: 3 } })).text()).toBe("234");
      expect(await wrecked(wall.text, { concurrency: 1 })).toBe("0123456789");
      expect(await wrecked(wall.exists, { timeoutMs: 60_000 })).toBe(true);
      expect(await readAll(wrecked(wall.stream, { concurrency: 1 }))).toHaveLength(10);
      const slice = wall.slice(-3);
      expect(await wrecked(slice.text, { concurrency: 1 })).toBe("789");
      expect(await readAll(wrecked(slice.stream, { concurrency: 1 }))).toHaveLength(3);
      expect(await listed(wrecked(box.list, { prefix: "w", limit: 1 }))).toMatchObject([{ key: "wall" }]);
      expect(await wrecked(wall.delete, { timeoutMs: 60_000 })).toBe(true);
    });

    test("may be used for the next call at once", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const input = { bucket: name, key: "", body: "" };
      const running: Promise<unknown>[] = [];
      for (const key of ["k1", "k2", "k3"]) {
        input.key = key;
        input.body = `body of ${key}`;
        running.push(client.putObject(input));
      }
      await Promise.all(running);
      for (const key of ["k1", "k2", "k3"]) expect(await client.bucket(name).object(key).text()).toBe(`body of ${key}`);
    });

    test("may be any object: inherited members and getters count as arguments", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      class Input {
        readonly bucket = name;
        body = "x";
        get key(): string {
          return "wall";
        }
        get ifNoneMatch(): string {
          return "*";
        }
      }
      await client.putObject(new Input());
      await expectCode(client.putObject(new Input()), "PRECONDITION_FAILED");
      await expectCode(client.bucket(name).object("wall").put("y", new Input()), "PRECONDITION_FAILED");
      expect(await (await client.getObject(Object.create({ bucket: name, key: "wall" }))).text()).toBe("x");
    });
  });
}
