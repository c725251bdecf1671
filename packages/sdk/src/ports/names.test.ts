import { expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { assertBucketName, assertObjectKey, normalizeAttributes } from "./names.ts";

const code = (run: () => unknown): unknown => {
  try {
    run();
    return "none";
  } catch (error) {
    return AshlarError.is(error) ? error.code : error;
  }
};

test("bucket names follow S3's rules", () => {
  for (const name of ["abc", "a.b", "a-b.c-d", "1.2.3", "1.2.3.4.5", "a".repeat(63)]) assertBucketName(name);
  const bad = [
    "ab",
    "a".repeat(64),
    "Abc",
    "a_b",
    ".ab",
    "ab.",
    "-ab",
    "ab-",
    "a..b",
    "1.2.3.4",
    "xn--a",
    "a--ol-s3",
    "äöü",
    "a b",
    "abc\n",
  ];
  for (const name of bad)
    expect(
      code(() => assertBucketName(name)),
      name,
    ).toBe("INVALID_BUCKET_NAME");
  expect(code(() => assertBucketName(undefined as never))).toBe("INVALID_BUCKET_NAME");
});

test("keys are 1 to 1,024 bytes of UTF-8, of any characters", () => {
  for (const key of ["a", "\0", "..", "/", "é".repeat(512), "\u{1f600}".repeat(256)]) assertObjectKey(key);
  for (const key of ["", "a".repeat(1025), "é".repeat(513), "\ud800", "a\udc00b", 7 as never]) {
    expect(code(() => assertObjectKey(key))).toBe("INVALID_ARGUMENT");
  }
});

test("attributes have one stored form, and normalizing it again changes nothing", () => {
  const normal = normalizeAttributes({
    contentType: "",
    cacheControl: "no-store",
    contentLanguage: "",
    expires: undefined,
    metadata: { "X-Color": "blue", b: "" },
  });
  expect(normal).toEqual({
    contentType: "application/octet-stream",
    cacheControl: "no-store",
    metadata: { "x-color": "blue", b: "" },
  });
  expect(Object.keys(normal)).not.toContain("expires");
  expect(normalizeAttributes(normal)).toEqual(normal);
  expect(normalizeAttributes(undefined)).toEqual({ contentType: "application/octet-stream" });
  expect(normalizeAttributes({ metadata: {} })).toEqual({ contentType: "application/octet-stream" });
});

test("attributes that no header could carry are refused", () => {
  const bad = [
    { contentType: "a\nb" },
    { contentType: 7 as never },
    { contentType: "x".repeat(8193) },
    { metadata: { "": "x" } },
    { metadata: { "a:b": "x" } },
    { metadata: { a: "\ud800" } },
    { metadata: { a: "x".repeat(8192) } },
    { metadata: { A: "1", a: "2" } },
  ];
  for (const attributes of bad) expect(code(() => normalizeAttributes(attributes))).toBe("INVALID_ARGUMENT");
});
