import { describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { resolveRange } from "./byte-range.ts";
import { namesEntityTag } from "./conditions.ts";

describe("resolveRange", () => {
  it("follows RFC 9110", () => {
    const cases: [string | null, ReturnType<typeof resolveRange>][] = [
      [null, undefined],
      ["bytes=0-9", { offset: 0, length: 10 }],
      ["bytes=90-", { offset: 90, length: 10 }],
      ["bytes=-10", { offset: 90, length: 10 }],
      ["bytes=-1000", { offset: 0, length: 100 }],
      ["bytes=50-1000", { offset: 50, length: 50 }],
      ["BYTES = 1 - 2", { offset: 1, length: 2 }],
      ["bytes=100-", "unsatisfiable"],
      ["bytes=-0", "unsatisfiable"],
      ["bytes=5-4", undefined],
      ["bytes=-", undefined],
      ["bytes = - ", undefined],
      [" bytes=1-2", undefined],
      ["bytes=1 2-3", undefined],
      ["bytes=--1", undefined],
      ["bytes=  -  10  ", { offset: 90, length: 10 }],
      ["bytes=1-2,4-5", undefined],
      ["items=1-2", undefined],
      [`bytes=0-${"9".repeat(400)}`, { offset: 0, length: 100 }],
      [`bytes=${"9".repeat(400)}-`, "unsatisfiable"],
    ];
    for (const [header, expected] of cases) expect([header, resolveRange(header, 100)]).toEqual([header, expected]);
    expect(resolveRange("bytes=0-", 0)).toBe("unsatisfiable");
    expect(resolveRange("bytes=-1", 0)).toBe("unsatisfiable");
  });

  it("ignores a header that is longer than RANGE_MAX_BYTES", () => {
    const spaced = (bytes: number): string => `bytes=0-9${" ".repeat(bytes - "bytes=0-9".length)}`;
    const max = HTTP_LIMITS.RANGE_MAX_BYTES.value;
    expect(resolveRange(spaced(max), 100)).toEqual({ offset: 0, length: 10 });
    expect(resolveRange(spaced(max + 1), 100)).toBeUndefined();
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
