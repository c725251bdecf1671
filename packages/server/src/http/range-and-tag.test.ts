import { describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { parseByteRange } from "./byte-range.ts";
import { namesEntityTag } from "./conditions.ts";

describe("parseByteRange", () => {
  it("follows RFC 9110", () => {
    const cases: [string | null, ReturnType<typeof parseByteRange>][] = [
      [null, undefined],
      ["bytes=0-9", { offset: 0, length: 10 }],
      ["bytes=90-", { offset: 90 }],
      ["bytes=-10", { offset: -10 }],
      ["bytes=50-1000", { offset: 50, length: 951 }],
      ["BYTES = 1 - 2", { offset: 1, length: 2 }],
      ["bytes=-0", { offset: Number.MAX_SAFE_INTEGER }],
      ["bytes=5-4", undefined],
      ["bytes=-", undefined],
      ["bytes = - ", undefined],
      [" bytes=1-2", undefined],
      ["bytes=1 2-3", undefined],
      ["bytes=--1", undefined],
      ["bytes=  -  10  ", { offset: -10 }],
      ["bytes=1-2,4-5", undefined],
      ["items=1-2", undefined],
      [`bytes=0-${"9".repeat(400)}`, { offset: 0, length: Number.MAX_SAFE_INTEGER }],
      [`bytes=${"9".repeat(400)}-`, { offset: Number.MAX_SAFE_INTEGER }],
    ];
    for (const [header, expected] of cases) expect([header, parseByteRange(header)]).toEqual([header, expected]);
  });

  it("ignores a header that is longer than RANGE_MAX_BYTES", () => {
    const spaced = (bytes: number): string => `bytes=0-9${" ".repeat(bytes - "bytes=0-9".length)}`;
    const max = HTTP_LIMITS.RANGE_MAX_BYTES.value;
    expect(parseByteRange(spaced(max))).toEqual({ offset: 0, length: 10 });
    expect(parseByteRange(spaced(max + 1))).toBeUndefined();
  });
});

describe("namesEntityTag", () => {
  it("compares weakly and strongly, in lists, and by the star", () => {
    expect(namesEntityTag('"a", "b"', "b", { weak: false })).toBe(true);
    expect(namesEntityTag('"a", W/"b"', "b", { weak: false })).toBe(false);
    expect(namesEntityTag('"a", W/"b"', "b", { weak: true })).toBe(true);
    expect(namesEntityTag('"with, comma", "b"', "with, comma", { weak: true })).toBe(true);
    expect(namesEntityTag(" * ", "b", { weak: true })).toBe(true);
    expect(namesEntityTag("b", "b", { weak: true })).toBe(false);
    expect(namesEntityTag(null, "b", { weak: true })).toBe(false);
  });
});
