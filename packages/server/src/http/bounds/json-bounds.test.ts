import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { ClusterService, CommitWriteRequestSchema, ObjectService } from "@ashlar/sdk/rpc";
import type { DescMessage } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "./http-limits.ts";
import { assertJsonWithin } from "./json-bounds.ts";

const refused = (text: string, options: { readonly desc?: DescMessage; readonly fieldsMax?: number } = {}): boolean => {
  const { desc = CommitWriteRequestSchema, fieldsMax = Number.POSITIVE_INFINITY } = options;
  try {
    assertJsonWithin(text, { desc, fieldsMax });
    return false;
  } catch (error) {
    return AshlarError.is(error, "INVALID_ARGUMENT");
  }
};

describe("a JSON text", () => {
  it("has a bounded depth, and brackets in texts do not count", () => {
    const depth = HTTP_LIMITS.MESSAGE_DEPTH_MAX.value;
    const nested = (count: number): string => `${"[".repeat(count)}${"]".repeat(count)}`;
    expect([refused(nested(depth)), refused(nested(depth + 1))]).toEqual([false, true]);
    expect(refused(JSON.stringify({ key: `${"[".repeat(99)}\\"\\\\"[[[`, other: "\\" }))).toBe(false);
    expect(refused(`{"a":${'{"a":'.repeat(40)}1${"}".repeat(41)}`)).toBe(true);
  });

  it("has a bounded number of values", () => {
    const list = (count: number): string => JSON.stringify(Array.from({ length: count }, () => "a,[{b"));
    expect([refused(list(100), { fieldsMax: 100 }), refused(list(101), { fieldsMax: 100 })]).toEqual([false, true]);
  });

  it("that is cut off or no JSON is left to the parser", () => {
    for (const text of [
      "",
      "}",
      "]]",
      '{"',
      '{"sizeBytes',
      '{"sizeBytes"',
      '{"sizeBytes":',
      "{,:[}",
      '{"\\u00":1}',
      "\u{feff}{}",
    ]) {
      expect([text, refused(text)]).toEqual([text, false]);
    }
  });
});

describe("a number in JSON", () => {
  const max = HTTP_LIMITS.JSON_NUMBER_MAX.value;
  const written = (digits: string): string[] => [
    digits,
    `"${digits}"`,
    `" ${digits.slice(1)}"`,
    `"-${digits.slice(1)}"`,
  ];

  it("has at most JSON_NUMBER_MAX characters, bare or as a text, anywhere in the message", () => {
    for (const [index, number] of written("9".repeat(max)).entries()) {
      const longer = written("9".repeat(max + 1))[index] ?? "";
      for (const place of [
        (value: string) => `{"sizeBytes":${value}}`,
        (value: string) => `{"size_bytes" : ${value} }`,
        (value: string) => `{"\\u0073izeBytes":${value}}`,
        (value: string) => `{"bucket":"a","chunked":{"chunks":[{},{"receipts":["r"],"sizeBytes":${value}}]}}`,
        (value: string) => `{"durability":${value}}`,
      ]) {
        expect([place(""), refused(place(number)), refused(place(longer))]).toEqual([place(""), false, true]);
      }
    }
    const weights = (value: string): string => `{"weights":{"a":1,"b":${value}}}`;
    const desc = ClusterService.method.changeLayout.input;
    expect(refused(weights(`"${"1".repeat(max)}"`), { desc })).toBe(false);
    expect(refused(weights(`"1${"0".repeat(max)}"`), { desc })).toBe(true);
  });

  it("is no text of a text field, a bytes field or an unknown field", () => {
    const digits = `"${"9".repeat(100_000)}"`;
    for (const field of ["key", "inline", "sizeBytesOfNobody"]) expect(refused(`{"${field}":${digits}}`)).toBe(false);
    expect(refused(`{"chunked":{"chunks":[{"chunkId":${digits},"receipts":[${digits}]}]}}`)).toBe(false);
    expect(refused(`{"unknown":${digits.slice(1, -1)}}`)).toBe(true);
  });
});

describe("a list in JSON", () => {
  it("has as many items as the proto files say, and no more", () => {
    const desc = ObjectService.method.deleteObjects.input;
    const max = LIMITS.DELETE_MANY_MAX;
    const items = (count: number, item: string): string => Array.from({ length: count }, () => item).join(" , ");
    for (const item of ['"a,]"', "null", "1", "{}", "[]"]) {
      const keys = (count: number): string =>
        `{"bucket":"b","keys":[ ${items(count, item)} ],"other":[${items(5000, "1")}]}`;
      expect([item, refused(keys(max), { desc }), refused(keys(max + 1), { desc })]).toEqual([item, false, true]);
    }
    const receipts = (count: number): string => `{"chunked":{"chunks":[{},{"receipts":[${items(count, '"r"')}]},{}]}}`;
    expect([refused(receipts(16)), refused(receipts(17))]).toEqual([false, true]);
  });

  it("counts a map's entries", () => {
    const entries = (count: number): string => Array.from({ length: count }, (_, index) => `"n${index}":"v"`).join();
    const metadata = (count: number): string => `{"attributes":{"metadata":{${entries(count)}}}}`;
    const max = LIMITS.METADATA_ENTRIES_MAX;
    expect([refused(metadata(max)), refused(metadata(max + 1))]).toEqual([false, true]);
  });
});
