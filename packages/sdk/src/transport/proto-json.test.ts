import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ObjectInfoSchema } from "../rpc/index.ts";
import {
  base64FromBytes,
  bytesFromBase64,
  integerOf,
  listOf,
  messageFrom,
  optionalTextOf,
  textOf,
} from "./proto-json.ts";

test("bytes survive base64, in the same form as Node's own", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
      const text = base64FromBytes(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64"));
      expect(bytesFromBase64(text)).toEqual(bytes);
    }),
  );
});

test("32 KiB of inline bytes fit", () => {
  const bytes = new Uint8Array(32 * 1024).fill(255);
  expect(bytesFromBase64(base64FromBytes(bytes))).toEqual(bytes);
});

test("64-bit integers come as text and are checked", () => {
  const message = messageFrom(toJson(ObjectInfoSchema, create(ObjectInfoSchema, { sizeBytes: 9007199254740991n })));
  expect(message.sizeBytes).toBe("9007199254740991");
  expect(integerOf(message, "sizeBytes")).toBe(Number.MAX_SAFE_INTEGER);
  expect(integerOf(message, "createdAtMs")).toBe(0);
  for (const value of ["9007199254740992", "1.5", "x", {}]) {
    expect(() => integerOf({ value }, "value")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

test("members that are absent or of another type are empty", () => {
  expect(textOf({ a: 1 }, "a")).toBe("");
  expect(optionalTextOf({ a: "" }, "a")).toBeUndefined();
  expect(listOf({ a: "text" }, "a")).toEqual([]);
  expect(listOf({ a: [null, { b: 1 }] }, "a")).toEqual([{}, { b: 1 }]);
});
