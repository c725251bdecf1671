import type { ListEntry } from "@ashlar/sdk";
import { beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import type { UseContext } from "../subject.ts";

const KEYS = ["a", "a/1", "a/2", "a/b/1", "ab", "b/1", "b/2", "z", "Ä", "~", "a\u{10000}", "a\uffff"];
const binary = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));
const byBytes = (a: string, b: string): number => (binary(a) < binary(b) ? -1 : 1);
const SORTED = KEYS.toSorted(byBytes);

async function take<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

const nameOf = (entry: ListEntry): string => (entry.type === "object" ? entry.key : `${entry.prefix}*`);

/** Buckets and listings. */
export function listingCases(use: UseContext): void {
  describe("a listing", () => {
    let bucket = "";
    const list = async (options: object = {}): Promise<string[]> =>
      (await take(use().client.listObjects({ bucket, ...options }))).map(nameOf);
    beforeAll(async () => {
      bucket = await use().bucket();
      for (const key of KEYS) await use().client.putObject({ bucket, key, body: key });
    });

    test("gives all keys in the order of their UTF-8 bytes", async () => {
      expect(await list()).toEqual(SORTED);
    });

    test("tells size, etag, digest and object version of each object", async () => {
      const { client } = use();
      const [first] = await take(client.listObjects({ bucket, prefix: "a/1" }));
      const { etag, sha256, objectVersion, sizeBytes, createdAtMs } = await client.headObject({ bucket, key: "a/1" });
      expect(first).toEqual({ type: "object", key: "a/1", etag, sha256, objectVersion, sizeBytes, createdAtMs });
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    });

    test.each([1, 2, 3, 5, 1000])("in pages of %i is the same, each key once", async (pageSize) => {
      expect(await list({ pageSize })).toEqual(SORTED);
    });

    test.each([1, 5, 1000, 5000])("with a limit of %i ends there, whatever its pages", async (limit) => {
      expect(await list({ limit })).toEqual(SORTED.slice(0, limit));
      expect(await list({ limit, pageSize: 2 })).toEqual(SORTED.slice(0, limit));
    });

    test("page has no more than its limit, prefixes counted", async () => {
      const { client } = use();
      let cursor: string | undefined;
      const seen: string[] = [];
      do {
        const page = await client.listObjectsPage({ bucket, delimiter: "/", limit: 2, cursor });
        expect(page.objects.length + page.prefixes.length).toBeLessThanOrEqual(2);
        seen.push(...page.objects.map((object) => object.key), ...page.prefixes);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(seen.sort(byBytes)).toEqual(["a", "a/", "ab", "b/", "z", "Ä", "~", "a\u{10000}", "a\uffff"].sort(byBytes));
    });

    test("with a prefix gives just the keys that begin with it", async () => {
      expect(await list({ prefix: "a/" })).toEqual(["a/1", "a/2", "a/b/1"]);
      expect(await list({ prefix: "a" })).toEqual(SORTED.filter((key) => key.startsWith("a")));
      expect(await list({ prefix: "nothing" })).toEqual([]);
    });

    test("with a delimiter gives one prefix for all keys below it", async () => {
      expect(await list({ delimiter: "/" })).toEqual(
        SORTED.filter((key) => !key.includes("/"))
          .concat("a/*", "b/*")
          .sort((a, b) => byBytes(a.replace("*", ""), b.replace("*", ""))),
      );
      expect(await list({ delimiter: "/", prefix: "a/" })).toEqual(["a/1", "a/2", "a/b/*"]);
      expect(await list({ delimiter: "/", prefix: "a/", pageSize: 1 })).toEqual(["a/1", "a/2", "a/b/*"]);
    });

    test("goes on after a key", async () => {
      expect(await list({ startAfter: "b/1" })).toEqual(SORTED.slice(SORTED.indexOf("b/1") + 1));
      expect(await list({ startAfter: "b/0" })).toEqual(SORTED.slice(SORTED.indexOf("b/1")));
    });

    test("shows a write at once, and a delete too", async () => {
      const { client } = use();
      const ref = { bucket, key: "m/new" };
      await client.putObject({ ...ref, body: "x" });
      expect(await list({ prefix: "m/" })).toEqual(["m/new"]);
      await client.deleteObject(ref);
      expect(await list({ prefix: "m/" })).toEqual([]);
    });
  });

  describe("a bucket", () => {
    test("is made, found, listed and deleted", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const found = await client.headBucket({ bucket: name });
      expect(found.bucket).toBe(name);
      expect(Math.abs(found.createdAtMs - Date.now())).toBeLessThan(60_000);
      expect((await client.listBuckets()).map((each) => each.bucket)).toContain(name);
      await client.deleteBucket({ bucket: name });
      await expectCode(client.headBucket({ bucket: name }), "BUCKET_NOT_FOUND");
      expect((await client.listBuckets()).map((each) => each.bucket)).not.toContain(name);
    });

    test("can be made once", async () => {
      const { client, bucket } = use();
      const there = await bucket();
      await expectCode(client.createBucket({ bucket: there }), "BUCKET_ALREADY_EXISTS");
      const found = await client.createBucket({ bucket: there, ifMissing: true });
      expect(found).toEqual(await client.headBucket({ bucket: there }));
    });

    test("with an object or an upload in it is not deleted", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      await client.putObject({ bucket: name, key: "a", body: "x" });
      const objects = await expectCode(client.deleteBucket({ bucket: name }), "BUCKET_NOT_EMPTY");
      expect(objects.details).toMatchObject({ bucket: name, hasObjects: "true", uploadCount: "0" });
      await client.deleteObject({ bucket: name, key: "a" });
      const { uploadId } = await client.createUpload({ bucket: name, key: "a" });
      const uploads = await expectCode(client.deleteBucket({ bucket: name }), "BUCKET_NOT_EMPTY");
      expect(uploads.details).toMatchObject({ bucket: name, hasObjects: "false", uploadCount: "1" });
      await client.abortUpload({ uploadId });
      await client.deleteBucket({ bucket: name });
    });
  });
}
