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
const code = (run: () => unknown): string => {
  try {
    run();
    return "none";
  } catch (error) {
    return AshlarError.is(error) ? error.code : "foreign";
  }
};

describe("segment codec", () => {
  it("keeps the bytes of formats 1 and 2 for ever", () => {
    const chunkId = digestFromBytes(Uint8Array.from({ length: 32 }, (_, index) => index));
    const hex = encodeHex(
      encodeSegment([
        { chunkId, sizeBytes: 4 * 1024 * 1024 },
        { chunkId, sizeBytes: 127 },
      ]),
    );
    const id = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    expect(hex).toBe(`41534702${id}80808002${id}7f2a5bd2f7`);
    const first = Buffer.from(`41534701${id}80808002${id}7f`, "hex");
    expect(decodeSegment(first)).toEqual(decodeSegment(Buffer.from(hex, "hex")));
  });

  it("decodes what it encodes, at every border of the size encoding", () => {
    const sizes = [1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 + 1, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER];
    const chunks = sizes.map((size, index) => chunk(String(index), size));
    expect(decodeSegment(encodeSegment(chunks))).toEqual(chunks);
    expect(decodeSegment(encodeSegment([]))).toEqual([]);
  });

  it("refuses bytes that are foreign, newer, or cut off anywhere", () => {
    const bytes = encodeSegment([chunk("a", 300), chunk("b", 5)]);
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(
        code(() => decodeSegment(bytes.subarray(0, length))),
        `cut to ${length}`,
      ).toBe("METADATA_CORRUPT");
    }
    expect(code(() => decodeSegment(Uint8Array.of(0x41, 0x53, 0x47, 3)))).toBe("STORE_INCOMPATIBLE");
    expect(code(() => decodeSegment(Uint8Array.of(1, 2, 3, 1)))).toBe("METADATA_CORRUPT");
  });

  it("never takes bytes with one flipped bit for what was written", () => {
    const bytes = encodeSegment([chunk("a", 300), chunk("b", 5)]);
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(
        code(() => decodeSegment(flipped)),
        `bit ${bit}`,
      ).toMatch(/^(METADATA_CORRUPT|STORE_INCOMPATIBLE)$/);
    }
  });

  it("refuses sizes below one byte and too many chunks", () => {
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
      expect(code(() => encodeSegment([chunk("a", size)]))).toBe("INVALID_ARGUMENT");
    }
    const many = Array.from({ length: SEGMENT_CHUNK_MAX + 1 }, () => chunk("a", 1));
    expect(code(() => encodeSegment(many))).toBe("INVALID_ARGUMENT");
  });

  it("splits a long list into segments that join to the same list", () => {
    const chunks = Array.from({ length: 2 * SEGMENT_CHUNK_MAX + 1 }, (_, index) => chunk(String(index), index + 1));
    const segments = splitIntoSegments(chunks);
    expect(segments.map((segment) => segment.chunkCount)).toEqual([SEGMENT_CHUNK_MAX, SEGMENT_CHUNK_MAX, 1]);
    expect(segments.flatMap((segment) => decodeSegment(segment.data))).toEqual(chunks);
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
