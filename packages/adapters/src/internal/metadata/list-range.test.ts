import { expect, test } from "vitest";
import { fromByteText, justAfter, successorOf, toByteText } from "./byte-text.ts";
import { commonPrefixOf, decodeCursor, encodeCursor, nextLower, resolveListRange } from "./list-range.ts";

test("byte text keeps the order of UTF-8, which JavaScript's own order is not", () => {
  expect("\uffff" < "\u{10000}").toBe(false);
  expect(toByteText("\uffff") < toByteText("\u{10000}")).toBe(true);
  for (const text of ["", "a\0b", "é", "\u{10ffff}", "日本"]) expect(fromByteText(toByteText(text))).toBe(text);
});

test("the successor of a prefix is above everything that begins with it, and nothing lies between", () => {
  for (const prefix of ["a", "a/", "é", "\u{10ffff}", "\u007f"]) {
    const bytes = toByteText(prefix);
    expect(successorOf(bytes) > bytes + "\xf4\x8f\xbf\xbf".repeat(4)).toBe(true);
    expect(successorOf(bytes).startsWith(bytes)).toBe(false);
  }
  expect(justAfter("a") > "a" && justAfter("a") <= "a\0").toBe(true);
});

test("a listing goes on behind a key, or behind all keys of the common prefix that it opens", () => {
  const range = resolveListRange({ bucket: "b", prefix: "a/", delimiter: "/" });
  expect(commonPrefixOf(range, "a/b")).toBeUndefined();
  expect(nextLower(range, "a/b")).toBe("a/b\0");
  expect(commonPrefixOf(range, "a/b/c/d")).toBe("a/b/");
  expect(nextLower(range, "a/b/c/d")).toBe("a/b0");
});

test("the bounds come from prefix, cursor and startAfter", () => {
  const bounds = (query: Partial<Parameters<typeof resolveListRange>[0]>): [string, string] => {
    const { lower, upper } = resolveListRange({ bucket: "b", ...query });
    return [lower, upper];
  };
  expect(bounds({})).toEqual(["", "\xff"]);
  expect(bounds({ prefix: "a/" })).toEqual(["a/", "a0"]);
  expect(bounds({ prefix: "b", startAfter: "a" })).toEqual(["b", "c"]);
  expect(bounds({ prefix: "b", startAfter: "bc" })).toEqual(["bc\0", "c"]);
  expect(bounds({ prefix: "b", startAfter: "bc", cursor: encodeCursor("bd") })).toEqual(["bd", "c"]);
});

test("cursors come back as they were, and nothing else passes for one", () => {
  for (const lower of ["a", "a\0", "\xf4\x8f\xbf\xbf\0"]) expect(decodeCursor(encodeCursor(lower))).toBe(lower);
  for (const bad of ["", "AQ", "AmE", "AWE=", "AW E", "ä"]) expect(() => decodeCursor(bad)).toThrow();
});
