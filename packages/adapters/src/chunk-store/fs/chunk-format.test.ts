import { encodeHex } from "@ashlar/sdk/hash";
import { testChunk } from "@ashlar/sdk/testing";
import { describe, expect, test } from "vitest";
import {
  BLOCK_BYTES,
  checkFooter,
  decodeTrailer,
  encodeTrailer,
  payloadBytesOf,
  trailerBytes,
} from "./chunk-format.ts";

describe("the chunk file format", () => {
  test("a file's length tells its payload size, and lengths that no payload gives are recognised", () => {
    const sizes = [0, 1, 63, 64, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 7 * BLOCK_BYTES + 5, 2 ** 30];
    for (const sizeBytes of sizes) expect(payloadBytesOf(sizeBytes + trailerBytes(sizeBytes))).toBe(sizeBytes);
    expect(payloadBytesOf(0)).toBeUndefined();
    expect(payloadBytesOf(63)).toBeUndefined();
    // One to four bytes behind a full block: the next block's checksum does not fit.
    for (let extra = 1; extra <= 4; extra++) {
      expect(payloadBytesOf(BLOCK_BYTES + trailerBytes(BLOCK_BYTES) + extra)).toBeUndefined();
    }
    for (let fileBytes = 0; fileBytes < 300_000; fileBytes += 13) {
      const payloadBytes = payloadBytesOf(fileBytes);
      if (payloadBytes !== undefined) expect(payloadBytes + trailerBytes(payloadBytes)).toBe(fileBytes);
    }
  });

  // The two checksums at the end were computed with Python's zlib.
  test("the trailer of format version 1 stays what it is", async () => {
    const { chunkId } = await testChunk(70_000, 1);
    const trailer = encodeTrailer(chunkId, 70_000, [0x01020304, 0xa0b0c0d0]);
    expect(encodeHex(trailer)).toBe(
      [
        "04030201",
        "d0c0b0a0",
        "6173686c6172434b",
        "01000000",
        "00000100",
        "7011010000000000",
        encodeHex(chunkId),
        "3c61c025",
        "aaaacba3",
      ].join(""),
    );
    expect(decodeTrailer(chunkId, 70_000, trailer)).toEqual([0x01020304, 0xa0b0c0d0]);
  });

  test("any changed bit of the trailer is noticed", async () => {
    const { chunkId } = await testChunk(100, 1);
    const trailer = encodeTrailer(chunkId, 100, [77]);
    for (let bit = 0; bit < trailer.byteLength * 8; bit++) {
      const damaged = trailer.slice();
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      expect(() => decodeTrailer(chunkId, 100, damaged)).toThrow(expect.objectContaining({ code: "CHUNK_CORRUPT" }));
    }
  });

  test("a footer is that of one chunk and one size", async () => {
    const { chunkId } = await testChunk(100, 1);
    const other = await testChunk(100, 2);
    const footer = encodeTrailer(chunkId, 100, []);
    expect(checkFooter(chunkId, 100, footer)).toBeUndefined();
    expect(checkFooter(chunkId, 101, footer)).toMatch(/size/);
    expect(checkFooter(other.chunkId, 100, footer)).toMatch(/another chunk/);
    expect(checkFooter(chunkId, 100, footer.subarray(1))).toMatch(/cut/);
  });
});
