import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { visibleText } from "../observability/control-characters.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatTable,
} from "../observability/format.ts";
import { parseByteRange } from "./commands/get.ts";
import { contentTypeOf } from "./commands/put.ts";
import { closest } from "./hints.ts";
import { folderPrefix, parseAddress, parseBucketName, parseObjectAddress, targetAddress } from "./object-address.ts";
import { parseBytes, parseDuration } from "./settings.ts";
import { shellWord } from "./shown-command.ts";

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
  expect([formatRate(5e6, 2), formatRate(5e8, 1), formatRate(1, 0)]).toEqual(["2.4 MiB/s", "477 MiB/s", "0 B/s"]);
  expect([0, 1500, 60_000, 75_400, 3_600_000, 90_061_000, 604_800_000, 86_460_000].map(formatDuration)).toEqual([
    "0s",
    "1.5s",
    "1m",
    "1m 15s",
    "1h",
    "1d 1h",
    "7d",
    "1d",
  ]);
  expect([formatShare(1 / 6), formatCount(1, "chunk"), formatCount(2, "chunk")]).toEqual([
    "16.67 %",
    "1 chunk",
    "2 chunks",
  ]);
});

test("what is shown can be given back as a setting", () => {
  for (const ms of [0, 1500, 59_900, 75_000, 3_660_000, 604_800_000])
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  for (const bytes of [0, 1023, 1536, 4 * 1024 ** 2, 1024 ** 4]) expect(parseBytes(formatBytes(bytes))).toBe(bytes);
});

test("a cell of a table is one line, whatever is in it", () => {
  expect(formatTable([["name"], ["a\u001b[2J\nb"]])).toBe("name\na\\x1b[2J\\nb");
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

test("a word for the shell comes back as it was", () => {
  for (const text of ["a b", "it's", "a\u001b]0;x\u0007", "a\nb'c\\d", "\u202egpj.exe", "plain/key-1.txt"]) {
    const { stdout } = spawnSync("bash", ["-c", `printf %s ${shellWord(text)}`], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" },
    });
    expect(stdout).toBe(text);
    expect(shellWord(text)).toBe(visibleText(shellWord(text)));
  }
});

test("a folder is what begins with its name and a slash; a copy into one keeps the last part", () => {
  expect(["", "a", "a/", "a/b"].map(folderPrefix)).toEqual(["", "a/", "a/", "a/b/"]);
  const source = { bucket: "b", key: "x/cat.jpg" };
  expect(["c", "c/d/", "c/d"].map((text) => targetAddress(text, source).key)).toEqual(["cat.jpg", "d/cat.jpg", "d"]);
});

test("addresses end the bucket at the first slash", () => {
  expect(parseAddress("b/a//c/")).toEqual({ bucket: "b", key: "a//c/" });
  expect(parseAddress("b")).toEqual({ bucket: "b", key: "" });
  expect(() => parseObjectAddress("b/")).toThrow();
  expect(() => parseObjectAddress("/k")).toThrow();
  expect(parseBucketName("b/")).toBe("b");
  expect(() => parseBucketName("b/k")).toThrow();
});
