import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeaderText, encodeHeaderText } from "./header-text.ts";
import { parseObjectPath } from "./object-path.ts";

describe("plain HTTP paths", () => {
  it.each([
    ["/objects", { kind: "service" }],
    ["/objects/", { kind: "service" }],
    ["/objects/b", { kind: "bucket", bucket: "b" }],
    ["/objects/b/", { kind: "object", bucket: "b", key: "" }],
    ["/objects/b/k", { kind: "object", bucket: "b", key: "k" }],
    ["/objects/b/a/../c", { kind: "object", bucket: "b", key: "a/../c" }],
    ["/objects/b/..", { kind: "object", bucket: "b", key: ".." }],
    ["/objects/b/a//b///", { kind: "object", bucket: "b", key: "a//b///" }],
    ["/objects/b//", { kind: "object", bucket: "b", key: "/" }],
    ["/objects/b/%2e%2e%2Fx", { kind: "object", bucket: "b", key: "../x" }],
    ["/objects/b/100%25", { kind: "object", bucket: "b", key: "100%" }],
    ["/objects/b/%2525", { kind: "object", bucket: "b", key: "%25" }],
    ["/objects/b/a+b%20c", { kind: "object", bucket: "b", key: "a+b c" }],
    ["/objects/b/%00%D1%8F", { kind: "object", bucket: "b", key: "\0я" }],
  ])("%s names %j", (path, expected) => {
    expect(parseObjectPath(path)).toEqual(expected);
  });

  it.each(["/objects/b/%", "/objects/b/%zz", "/objects/b/%ff", "/objects/%ed%a0%80"])("%s is refused", (path) => {
    expect(() => parseObjectPath(path)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("carry any key unharmed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (key) => {
        expect(parseObjectPath(`/objects/b/${encodeURIComponent(key)}`)).toEqual({ kind: "object", bucket: "b", key });
      }),
    );
  });
});

describe("header text", () => {
  it("beyond ASCII travels as UTF-8 bytes", () => {
    expect(encodeHeaderText("café ☕")).toBe("cafÃ© â\u0098\u0095");
    expect(decodeHeaderText("cafÃ©")).toBe("café");
  });

  it("that is not UTF-8 stays as it is", () => {
    expect(decodeHeaderText("caf\u00e9")).toBe("caf\u00e9");
  });

  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeHeaderText(encodeHeaderText(text))).toBe(text);
      }),
    );
  });
});
