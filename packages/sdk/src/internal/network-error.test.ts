import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { fromNetworkError, isNetworkError } from "./network-error.ts";

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe("a network error", () => {
  test.each(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "UND_ERR_SOCKET", "ERR_HTTP2_STREAM_CANCEL"])(
    "is recognized by its code %s, also as the cause of another error",
    (code) => {
      expect(isNetworkError(withCode(code))).toBe(true);
      expect(isNetworkError(new Error("outer", { cause: new Error("middle", { cause: withCode(code) }) }))).toBe(true);
      expect(fromNetworkError(withCode(code)).code).toBe("NODE_UNAVAILABLE");
    },
  );

  test.each(["fetch failed", "Failed to fetch", "terminated", "NetworkError when attempting", "Load failed"])(
    "is recognized by fetch's message: %s",
    (message) => {
      expect(isNetworkError(new TypeError(message))).toBe(true);
      expect(isNetworkError(new Error(message))).toBe(false);
    },
  );

  test.each([
    withCode("ERR_INVALID_URL"),
    withCode("UND_ERR_INVALID_ARG"),
    new TypeError("x is not a function"),
    "text",
    undefined,
  ])("is not %s", (error) => {
    expect(isNetworkError(error)).toBe(false);
    expect(fromNetworkError(error).code).toBe("INTERNAL");
  });

  test.each([
    ["ERR_SSL_WRONG_VERSION_NUMBER", /use http:/],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", /TLS failed/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /give its `ca`/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /give its `ca`/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /give its `ca`/],
    ["CERT_HAS_EXPIRED", /give its `ca`/],
  ])("includes a TLS failure, and says what to do: %s", (code, message) => {
    for (const error of [withCode(code), new TypeError("fetch failed", { cause: withCode(code) })]) {
      expect(fromNetworkError(error)).toMatchObject({
        code: "NODE_UNAVAILABLE",
        message: expect.stringMatching(message),
        cause: error,
      });
    }
  });

  test("keeps an Ashlar error as it is, and stops at causes that form a ring", () => {
    const own = new AshlarError("DISK_FULL", "full", { cause: withCode("ECONNRESET") });
    expect(fromNetworkError(own)).toBe(own);
    const ring = new Error("a");
    ring.cause = new Error("b", { cause: ring });
    expect(isNetworkError(ring)).toBe(false);
  });
});
