import { ConnectError } from "@connectrpc/connect";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { describe, expect, test } from "vitest";
import { AshlarError, ERROR_CODES, type ErrorCode } from "../errors/index.ts";
import { connectErrorFrom } from "../rpc/index.ts";
import { foreignAnswer } from "./foreign-server.ts";
import { errorFromResponse } from "./http-error.ts";
import type { HttpResponse } from "./http-exchange.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];
const DETAILS = { bucket: "photos", key: "naïve/\u{1f431}.jpg", long: "x".repeat(300) };

function response(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return {
    status,
    header: (name) => headers[name],
    body: (async function* () {
      yield bytes;
    })(),
  };
}

describe.each(CODES)("%s", (code) => {
  const original = new AshlarError(code, "what happened", { details: DETAILS });
  const expected = [code, "what happened", DETAILS];
  const seen = (error: AshlarError): unknown[] => [error.code, error.message, error.details];

  test("arrives from problem+json", async () => {
    const body = { title: code, status: ERROR_CODES[code].http, detail: "what happened", code, details: DETAILS };
    expect(seen(await errorFromResponse(response(ERROR_CODES[code].http, body)))).toEqual(expected);
  });

  test("arrives from Connect's JSON", async () => {
    const json = errorToJson(connectErrorFrom(original), {}) as { details: Array<Record<string, unknown>> };
    expect(json.details[0]).toHaveProperty("debug");
    expect(seen(await errorFromResponse(response(400, json)))).toEqual(expected);
  });

  test("arrives in a header alone", async () => {
    expect((await errorFromResponse(response(500, "", { "ashlar-error-code": code }))).code).toBe(code);
  });
});

describe("an answer of another server", () => {
  const URL = "http://10.0.0.1:9000";

  test.each<[number, ErrorCode]>([
    [401, "UNAUTHENTICATED"],
    [403, "PERMISSION_DENIED"],
    [413, "OBJECT_TOO_LARGE"],
    [429, "OVERLOADED"],
    [502, "NODE_UNAVAILABLE"],
    [503, "NODE_UNAVAILABLE"],
    [504, "NODE_UNAVAILABLE"],
  ])("is a proxy's, if it is %i: %s", (status, code) => {
    const error = foreignAnswer(response(status, "<html>bad</html>", { "retry-after": "7" }), URL);
    expect(error).toMatchObject({ code, details: { httpStatus: String(status), retryAfterMs: "7000" } });
  });

  // Browsers show a redirect as status 0.
  test.each([0, 200, 204, 302, 400, 404, 405, 412, 416, 500, 501, 507])(
    "means that the server is not ours, if it is %i",
    (status) => {
      expect(foreignAnswer(response(status, "{}"), URL)).toMatchObject({ code: "UNSUPPORTED", details: { url: URL } });
    },
  );

  test("differs from an answer of our servers by the header that all of ours have", () => {
    expect(foreignAnswer(response(200, "{}", { "ashlar-request-id": "r1" }), URL)).toBeUndefined();
  });
});

test("a status without a body is INTERNAL, unless proxies send it", async () => {
  expect((await errorFromResponse(response(500, ""))).code).toBe("INTERNAL");
  expect((await errorFromResponse(response(503, ""))).code).toBe("NODE_UNAVAILABLE");
});

test.each([
  ["null", null],
  ["a number", 7],
  ["an unknown code", { code: "SOMETHING_NEW", detail: "x" }],
  ["a foreign detail", errorToJson(new ConnectError("x"), {})],
  ["details that are not a list", { details: { a: 1 } }],
  ["a detail whose value is cut off", { details: [{ type: "ashlar.v1.ErrorInfo", value: "CAESBQ" }] }],
])("a body that is %s still gives an error", async (_name, body) => {
  expect(AshlarError.is(await errorFromResponse(response(503, body)))).toBe(true);
});

test("details keep texts only", async () => {
  const error = await errorFromResponse(response(400, { code: "INVALID_ARGUMENT", details: { a: "x", b: 1, c: {} } }));
  expect(error.details).toEqual({ a: "x" });
});

test("an abort while the error is read stays an abort", async () => {
  const cut: HttpResponse = {
    status: 500,
    header: () => undefined,
    // biome-ignore lint/correctness/useYield: it fails before its first slice.
    body: (async function* () {
      throw new DOMException("stop", "AbortError");
    })(),
  };
  await expect(errorFromResponse(cut)).rejects.toThrow("stop");
});
