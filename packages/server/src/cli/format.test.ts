import { expect, test } from "vitest";
import { parseByteRange } from "./byte-range-argument.ts";
import { closest } from "./closest.ts";
import { contentTypeOf } from "./content-type.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatSeconds,
  formatShare,
  formatTable,
} from "./format.ts";
import { parseAddress, parseBucketName, parseObjectAddress } from "./object-address.ts";

test("sizes, rates and times are short and exact enough", () => {
  expect([0, 1023, 1024, 1536, 150 * 1024, 5 * 1024 ** 3, 3 * 1024 ** 4].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "150 KiB",
    "5.0 GiB",
    "3.0 TiB",
  ]);
  expect([formatRate(5e6, 2), formatRate(5e8, 1), formatRate(1, 0)]).toEqual(["2.5 MB/s", "500 MB/s", "0.0 MB/s"]);
  expect([0, 9, 75, 3600, 36_061].map(formatSeconds)).toEqual(["0:00", "0:09", "1:15", "1:00:00", "10:01:01"]);
  expect([0, 1500, 60_000, 75_400, 3_600_000, 90_061_000].map(formatDuration)).toEqual([
    "0 s",
    "1.5 s",
    "1 min",
    "1 min 15 s",
    "1 h",
    "25 h 1 min",
  ]);
  expect([formatShare(1 / 6), formatCount(1, "chunk"), formatCount(2, "chunk")]).toEqual([
    "16.67 %",
    "1 chunk",
    "2 chunks",
  ]);
});

test("tables align numbers to the right and words to the left", () => {
  expect(
    formatTable([
      ["id", "count"],
      ["a", "5"],
      ["long", "10"],
    ]),
  ).toBe("id    count\na         5\nlong     10");
});

test("the closest name is a likely one, or none", () => {
  expect(closest("photoz", ["videos", "photos"])).toBe("photos");
  expect(closest("2026/cat.jpeg", ["2026/cat.jpg", "2026/dog.jpg"])).toBe("2026/cat.jpg");
  expect(closest("photos", ["photos"])).toBeUndefined();
  expect(closest("abc", ["xyz", ""])).toBeUndefined();
  expect(closest("", [])).toBeUndefined();
});

test("content types follow the extension, whatever its case", () => {
  expect(["a/b.JPG", "x.tar.gz", "README", "x.", "x.constructor"].map(contentTypeOf)).toEqual([
    "image/jpeg",
    "application/gzip",
    undefined,
    undefined,
    undefined,
  ]);
});

test("ranges name bytes as HTTP does", () => {
  expect(["0-0", "5-", "-7", "2-4"].map(parseByteRange)).toEqual([
    { offset: 0, length: 1 },
    { offset: 5 },
    { offset: -7 },
    { offset: 2, length: 3 },
  ]);
  for (const text of ["", "-", "4-2", "-0", "a-b", "1,2", "1-2-3"]) expect(() => parseByteRange(text)).toThrow();
});

test("addresses end the bucket at the first slash", () => {
  expect(parseAddress("b/a//c/")).toEqual({ bucket: "b", key: "a//c/" });
  expect(parseAddress("b")).toEqual({ bucket: "b", key: "" });
  expect(() => parseObjectAddress("b/")).toThrow();
  expect(() => parseObjectAddress("/k")).toThrow();
  expect(parseBucketName("b/")).toBe("b");
  expect(() => parseBucketName("b/k")).toThrow();
});
