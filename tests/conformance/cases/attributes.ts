import { KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const ATTRIBUTES = {
  contentType: "text/plain; charset=utf-8",
  cacheControl: "max-age=60",
  contentDisposition: 'attachment; filename="wall.txt"',
  contentEncoding: "identity",
  contentLanguage: "de, en",
  expires: "Thu, 01 Jan 2026 00:00:00 GMT",
  metadata: { stone: "ashlar", größe: "zwölf", place: "東京 🧱", empty: "" },
};

/** What an object has besides its bytes. */
export function attributeCases(use: UseContext): void {
  describe("attributes", () => {
    test.each([
      ["inline", 10],
      ["chunked", 40 * KIB],
    ])("come back as they were given (%s)", async (_, sizeBytes) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const { metadata, ...headers } = ATTRIBUTES;
      const given = { ...headers, metadata: { Stone: metadata.stone, place: metadata.place, empty: "" } };
      const put = await client.putObject({ ...ref, body: testBytes(sizeBytes), ...given });
      const expected = { ...headers, metadata: { stone: "ashlar", place: metadata.place, empty: "" } };
      expect(put).toMatchObject(expected);
      expect(await client.headObject(ref)).toMatchObject(expected);
      const got = await client.getObject(ref);
      expect(got).toMatchObject(expected);
      expect((await got.bytes()).byteLength).toBe(sizeBytes);
      expect(Math.abs(got.createdAtMs - Date.now())).toBeLessThan(60_000);
    });

    test("are in an answer under the names that a call takes: what was read can be written again", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "wall", ...ATTRIBUTES, metadata: { stone: "ashlar" } });
      const { bucket: _, key: __, ...head } = await client.headObject(ref);
      await client.putObject({ ...head, ...ref, key: "again", body: "wall" });
      const again = await client.headObject({ ...ref, key: "again" });
      expect(again).toMatchObject({ ...ATTRIBUTES, metadata: { stone: "ashlar" } });
      const nested = { ...ref, body: "x", attributes: { contentType: "text/plain" } };
      await expectCode(client.putObject(nested), "INVALID_ARGUMENT");
      await expectCode(
        client.copyObject({ ...nested, sourceBucket: ref.bucket, sourceKey: ref.key } as never),
        "INVALID_ARGUMENT",
      );
    });

    test("have a content type even if none was given", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await client.putObject({ ...ref, body: "x" });
      expect((await client.headObject(ref)).contentType).toBe("application/octet-stream");
    });

    test("that are empty are not there", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const empty = { contentType: "", cacheControl: "", contentLanguage: "", expires: "" };
      const expected = { contentType: "application/octet-stream" };
      const put = await client.putObject({ ...ref, body: "x", ...empty });
      for (const info of [put, await client.headObject(ref)]) {
        expect(info).toMatchObject(expected);
        for (const name of ["cacheControl", "contentLanguage", "expires", "metadata"])
          expect(info).not.toHaveProperty(name);
      }
    });

    test("that no header can carry are INVALID_ARGUMENT", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: "x", contentType: "a\r\nb: c" }), "INVALID_ARGUMENT");
      await expectCode(client.putObject({ ...ref, body: "x", metadata: { größe: "x" } }), "INVALID_ARGUMENT");
      await expectCode(
        client.putObject({ ...ref, body: "x", metadata: { big: "x".repeat(9000) } }),
        "INVALID_ARGUMENT",
      );
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });
  });

  describe("a key", () => {
    const keys = [
      "a",
      "a/b",
      "a/b/",
      "/",
      "//",
      "..",
      "../a",
      "a/../b",
      " ",
      "ä ö",
      "東京/🧱",
      "%2F",
      "a?b#c",
      "a\nb",
      "a\0b",
      "+",
      "x".repeat(1024),
    ];
    test.each(keys.map((key) => [JSON.stringify(key).slice(0, 30), key] as const))("may be %s", async (_, key) => {
      const { client, bucket } = use();
      const name = await bucket();
      await client.putObject({ bucket: name, key, body: key });
      expect(await (await client.getObject({ bucket: name, key })).text()).toBe(key);
      expect((await client.headObject({ bucket: name, key })).key).toBe(key);
      const { objects } = await client.listObjectsPage({ bucket: name });
      expect(objects.map((object) => object.key)).toEqual([key]);
      expect(await client.deleteObject({ bucket: name, key })).toBe(true);
    });
  });
}
