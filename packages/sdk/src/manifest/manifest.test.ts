import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { type Digest, digestFromBytes, encodeHex, sha256Sync, webCryptoHasher } from "../hash/index.ts";
import {
  checkChunks,
  chunkedEtag,
  chunkedEtagBy,
  decodeSegment,
  encodeSegment,
  SEGMENT_CHUNK_MAX,
  singleEtag,
  splitIntoSegments,
  uploadEtag,
} from "./index.ts";

const digest = (text: string): Digest => sha256Sync(new TextEncoder().encode(text));
const chunk = (text: string, sizeBytes: number) => ({ chunkId: digest(text), sizeBytes });
const PLACE = { partId: "p", startOffset: 0 };
const code = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return AshlarError.is(error) ? error.code : "foreign";
  }
};

describe("segment codec", () => {
  it("keeps the bytes of formats 1, 2 and 4 unchanged", () => {
    const chunkId = digestFromBytes(Uint8Array.from({ length: 32 }, (_, index) => index));
    const chunks = [
      { chunkId, sizeBytes: 4 * 1024 * 1024 },
      { chunkId, sizeBytes: 127 },
    ];
    const id = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const body = `${id}80808002${id}7f`;
    expect(encodeHex(encodeSegment(chunks, { partId: "p-1", startOffset: 4096 }))).toBe(
      `41534704cff0b3d9${body}03ad4d74`,
    );
    // These formats do not contain their place.
    for (const older of [`41534701${body}`, `41534702${body}2a5bd2f7`]) {
      expect(decodeSegment(Buffer.from(older, "hex"), PLACE)).toEqual(chunks);
    }
  });

  it("is read only where it was written", () => {
    const chunks = [chunk("a", 300)];
    const bytes = encodeSegment(chunks, PLACE);
    expect(decodeSegment(bytes, { ...PLACE })).toEqual(chunks);
    for (const other of [
      { ...PLACE, partId: "q" },
      { ...PLACE, startOffset: 7 },
    ]) {
      expect(code(() => decodeSegment(bytes, other))).toBe("METADATA_CORRUPT");
    }
  });

  it("decodes what it encodes, at every border of the size encoding", () => {
    const sizes = [1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 + 1, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER];
    const chunks = sizes.map((size, index) => chunk(String(index), size));
    expect(decodeSegment(encodeSegment(chunks, PLACE), PLACE)).toEqual(chunks);
    expect(decodeSegment(encodeSegment([], PLACE), PLACE)).toEqual([]);
  });

  it("refuses bytes that are foreign, newer, or cut off anywhere", () => {
    const bytes = encodeSegment([chunk("a", 300), chunk("b", 5)], PLACE);
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(
        code(() => decodeSegment(bytes.subarray(0, length))),
        `cut to ${length}`,
      ).toBe("METADATA_CORRUPT");
    }
    const newer = Buffer.from("41534705", "hex");
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(newer));
    expect(code(() => decodeSegment(Buffer.concat([newer, checksum])))).toBe("STORE_INCOMPATIBLE");
    expect(code(() => decodeSegment(Uint8Array.of(1, 2, 3, 1)))).toBe("METADATA_CORRUPT");
  });

  it("never takes bytes with one flipped bit for what was written", () => {
    const bytes = encodeSegment([chunk("a", 300), chunk("b", 5)], PLACE);
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(
        code(() => decodeSegment(flipped)),
        `bit ${bit}`,
      ).toBe("METADATA_CORRUPT");
    }
  });

  it("refuses sizes below one byte and too many chunks", () => {
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
      expect(code(() => encodeSegment([chunk("a", size)], PLACE))).toBe("INVALID_ARGUMENT");
    }
    const many = Array.from({ length: SEGMENT_CHUNK_MAX + 1 }, () => chunk("a", 1));
    expect(code(() => encodeSegment(many, PLACE))).toBe("INVALID_ARGUMENT");
  });

  it("splits a long list into segments that join to the same list", () => {
    const chunks = Array.from({ length: 2 * SEGMENT_CHUNK_MAX + 1 }, (_, index) => chunk(String(index), index + 1));
    const segments = splitIntoSegments(chunks, "part");
    expect(segments.map((segment) => segment.chunkCount)).toEqual([SEGMENT_CHUNK_MAX, SEGMENT_CHUNK_MAX, 1]);
    expect(segments.flatMap(({ data, startOffset }) => decodeSegment(data, { partId: "part", startOffset }))).toEqual(
      chunks,
    );
    let offset = 0;
    for (const segment of segments) {
      expect(segment.startOffset).toBe(offset);
      offset += segment.sizeBytes;
    }
    expect(offset).toBe(chunks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  });
});

describe("etags", () => {
  it("are pinned", () => {
    const abc = digest("abc");
    expect(singleEtag(abc)).toBe("ba7816bf8f01cfea414140de5dae2223");
    expect(chunkedEtag([abc])).toBe("ba7816bf8f01cfea414140de5dae2223");
    expect(chunkedEtag([abc, abc])).toBe(`${encodeHex(sha256Sync(Uint8Array.from([...abc, ...abc]))).slice(0, 32)}-2`);
    expect(uploadEtag(["x"])).toBe("x");
    expect(uploadEtag(["ab", "c"])).toBe("ba7816bf8f01cfea414140de5dae2223-2");
  });

  it("are the same by any hasher", async () => {
    for (const chunkIds of [[digest("abc")], [digest("abc"), digest("def"), digest("abc")]]) {
      expect(await chunkedEtagBy(webCryptoHasher, chunkIds)).toBe(chunkedEtag(chunkIds));
    }
    await expect(chunkedEtagBy(webCryptoHasher, [])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("need content", () => {
    expect(code(() => chunkedEtag([]))).toBe("INVALID_ARGUMENT");
    expect(code(() => uploadEtag([]))).toBe("INVALID_PART");
  });
});

describe("checkChunks", () => {
  it("accepts a sound list and names each fault of another", () => {
    expect(checkChunks([chunk("a", 3), chunk("b", 4)], 7)).toEqual([]);
    expect(checkChunks([], 0)).toHaveLength(1);
    expect(checkChunks([chunk("a", 3)], 4)).toHaveLength(1);
    expect(checkChunks([chunk("a", 0)], 0)).toHaveLength(1);
    expect(checkChunks([{ chunkId: new Uint8Array(31) as Digest, sizeBytes: 1 }], 1)).toHaveLength(1);
    expect(checkChunks([chunk("a", 1024 ** 3 + 1)], 1024 ** 3 + 1)).toHaveLength(1);
  });
});
