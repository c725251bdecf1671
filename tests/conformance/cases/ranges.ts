import { type ByteRange, fixed, KIB } from "@ashlar/sdk";
import { beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../../support/expect-code.ts";
import { testBytes } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;
const SIZE = 2 * CHUNK + 100;

/** Reads of ranges of an object. */
export function rangeCases(use: UseContext): void {
  describe("a range", () => {
    const bytes = testBytes(SIZE);
    let bucket = "";
    beforeAll(async () => {
      bucket = await use().bucket();
      await use().client.putObject({ bucket, key: "chunked", body: bytes, chunker: fixed(CHUNK) });
      await use().client.putObject({ bucket, key: "inline", body: bytes.subarray(0, 100) });
      await use().client.putObject({ bucket, key: "empty", body: "" });
    });

    test.each<[string, ByteRange, number, number]>([
      ["at the start", { offset: 0, length: 10 }, 0, 10],
      ["in the middle of a chunk", { offset: 1000, length: 10 }, 1000, 10],
      ["across a chunk border", { offset: CHUNK - 5, length: 10 }, CHUNK - 5, 10],
      ["of just one chunk", { offset: CHUNK, length: CHUNK }, CHUNK, CHUNK],
      ["across three chunks", { offset: CHUNK - 1, length: CHUNK + 2 }, CHUNK - 1, CHUNK + 2],
      ["to the end", { offset: SIZE - 7 }, SIZE - 7, 7],
      ["of the last bytes", { offset: -7 }, SIZE - 7, 7],
      ["of the last bytes, and more than there are", { offset: -SIZE - 7 }, 0, SIZE],
      ["that ends past the end", { offset: SIZE - 7, length: 1000 }, SIZE - 7, 7],
      ["of no bytes", { offset: 5, length: 0 }, 5, 0],
      ["of all bytes", { offset: 0 }, 0, SIZE],
    ])("%s gives just its bytes", async (_, range, offset, length) => {
      const got = await use().client.getObject({ bucket, key: "chunked", range });
      expect(got).toMatchObject({ offset, length, sizeBytes: SIZE });
      expect(await got.bytes()).toEqual(bytes.subarray(offset, offset + length));
    });

    test("of an inline object gives just its bytes", async () => {
      const got = await use().client.getObject({ bucket, key: "inline", range: { offset: -30, length: 10 } });
      expect(await got.bytes()).toEqual(bytes.subarray(70, 80));
    });

    test.each<[string, string, ByteRange]>([
      ["at the end", "chunked", { offset: SIZE }],
      ["past the end", "chunked", { offset: SIZE + 1, length: 0 }],
      ["past the end of an inline object", "inline", { offset: 101 }],
      ["past the end of an empty object", "empty", { offset: 1 }],
    ])("that starts %s is INVALID_RANGE", async (_, key, range) => {
      const error = await expectCode(use().client.getObject({ bucket, key, range }), "INVALID_RANGE");
      expect(error.retryable).toBe(false);
    });

    test("of an empty object from its start is empty", async () => {
      const got = await use().client.getObject({ bucket, key: "empty", range: { offset: 0 } });
      expect((await got.bytes()).byteLength).toBe(0);
    });
  });
}
