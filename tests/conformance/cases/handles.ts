import { fixed, KIB } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { readAll, testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;

/** Lazy handles on buckets and objects. */
export function handleCases(use: UseContext): void {
  describe("a handle", () => {
    test("does nothing until asked", () => {
      const { client } = use();
      const handle = client.bucket("no-such-bucket").object("wall");
      expect([handle.bucket, handle.key]).toEqual(["no-such-bucket", "wall"]);
      handle.slice(0, 10);
      handle.stream();
    });

    test("writes, reads, lists, and deletes", async () => {
      const { client, bucket } = use();
      const box = client.bucket(await bucket());
      const wall = box.object("wall");
      expect(await wall.exists()).toBe(false);
      await expectCode(wall.text(), "OBJECT_NOT_FOUND");
      const put = await wall.put(JSON.stringify({ a: "ä" }), { contentType: "application/json" });
      expect(await wall.exists()).toBe(true);
      expect(await wall.json()).toEqual({ a: "ä" });
      expect(await wall.text()).toBe('{"a":"ä"}');
      expect(new TextDecoder().decode(await wall.bytes())).toBe('{"a":"ä"}');
      expect((await wall.head()).etag).toBe(put.etag);
      const listed: unknown[] = [];
      for await (const entry of box.list()) listed.push(entry);
      expect(listed).toMatchObject([{ type: "object", key: "wall" }]);
      expect(await wall.delete()).toBe(true);
      await box.delete();
      await expectCode(wall.exists(), "BUCKET_NOT_FOUND");
      await box.create();
      await box.delete();
    });

    test("of an object that is no JSON says so, with the parser's error as the cause", async () => {
      const { client, bucket } = use();
      const wall = client.bucket(await bucket()).object("wall");
      await wall.put("{stone");
      const error = await expectCode(wall.json(), "INVALID_ARGUMENT");
      expect(error.message).toContain("JSON");
      expect(error.cause).toBeInstanceOf(SyntaxError);
      const { details } = await expectCode((await wall.get()).json(), "INVALID_ARGUMENT");
      expect(details).toMatchObject({ bucket: wall.bucket, key: "wall" });
    });

    test("streams, and stops when its stream is cancelled", async () => {
      const { client, bucket } = use();
      const wall = client.bucket(await bucket()).object("wall");
      await wall.put(testBytes(5 * CHUNK), { chunker: fixed(CHUNK) });
      expect(await readAll(wall.stream())).toEqual(testBytes(5 * CHUNK));
      const reader = wall.stream().getReader();
      expect((await reader.read()).done).toBe(false);
      await reader.cancel();
    });

    test.each<[number, number | undefined]>([
      [0, 10],
      [10, undefined],
      [-10, undefined],
      [-20, -10],
      [5, -5],
      [-5, 3 * CHUNK],
      [CHUNK - 1, CHUNK + 1],
      [10, 10],
      [10, 5],
    ])("slices from %d to %s as an array does", async (start, end) => {
      const { client, bucket } = use();
      const wall = client.bucket(await bucket()).object("wall");
      const bytes = testBytes(2 * CHUNK + 1);
      await wall.put(bytes, { chunker: fixed(CHUNK) });
      const slice = wall.slice(start, end);
      expect(await slice.bytes()).toEqual(bytes.slice(start, end));
      expect(await readAll(slice.stream())).toEqual(bytes.slice(start, end));
    });

    test.each([
      [0.4, 2.6, "012"],
      [0.5, 1.5, "01"],
      [2.5, 3.5, "23"],
      [-2.6, -0.6, "78"],
    ])("rounds the ends %d and %d of a slice as Web IDL does for Blob", async (start, end, text) => {
      const { client, bucket } = use();
      const wall = client.bucket(await bucket()).object("wall");
      await wall.put("0123456789");
      expect(await wall.slice(start, end).text()).toBe(text);
    });

    test.each(["", "0123456789"])("slices %j from and to ends of any kind as Blob does", async (text) => {
      const { client, bucket } = use();
      const wall = client.bucket(await bucket()).object("wall");
      await wall.put(text);
      const blob = new Blob([text]);
      const ends = [-Infinity, -100, -11, -10, -7, -3, -1, 0, 1, 3, 9, 10, 11, 100, Infinity, NaN];
      // Each start with three of all ends: the client cuts slices, in the same way over every transport.
      const cases = ends.flatMap((start, at) =>
        [undefined, ends.at(at - 3), ends.at(at - 10)].map((end) => [start, end] as const),
      );
      const got = await Promise.all(
        cases.map(async ([start, end]) => [start, end, await wall.slice(start, end).text()]),
      );
      const wanted = cases.map(async ([start, end]) => [start, end, await blob.slice(start, end).text()]);
      expect(got).toEqual(await Promise.all(wanted));
    });
  });
}
