import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString, errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { describe, expect, test } from "vitest";
import { AshlarError, ERROR_CODES, type ErrorCode } from "../errors/index.ts";
import { ashlarErrorFrom, connectErrorFrom, ErrorInfoSchema, ErrorReason } from "./index.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];
const DETAILS = { bucket: "photos", key: "naïve/\u{1f431}.jpg", sizeBytes: "9007199254740991" };

test("error.proto has the table's codes, in the table's order", () => {
  const names = Object.keys(ErrorReason).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");
  expect(names).toEqual(CODES);
  // The http transport reads the number without protobuf by counting rows.
  expect(names.map((name) => ErrorReason[name as ErrorCode])).toEqual(CODES.map((_, index) => index + 1));
});

describe.each(CODES)("%s", (code) => {
  const original = new AshlarError(code, "what happened", { details: DETAILS, cause: new Error("why") });

  test("has the status of the table and keeps its cause for the log", () => {
    const sent = connectErrorFrom(original);
    expect(codeToString(sent.code)).toBe(ERROR_CODES[code].connect);
    expect(sent.cause).toBe(original);
  });

  test("survives Connect's JSON", () => {
    const fallback = new ConnectError("unparsable", Code.Unknown);
    const received = ashlarErrorFrom(
      errorFromJsonBytes(errorToJsonBytes(connectErrorFrom(original), {}), undefined, fallback),
    );
    expect([received.code, received.message, received.details]).toEqual([code, "what happened", DETAILS]);
    expect(received.cause).toBeInstanceOf(ConnectError);
  });

  test("survives gRPC's trailers", () => {
    const trailers = new Headers();
    setTrailerStatus(trailers, connectErrorFrom(original));
    const received = ashlarErrorFrom(findTrailerError(trailers));
    expect([received.code, received.message, received.details]).toEqual([code, "what happened", DETAILS]);
  });
});

test.each<[string, Code, ErrorCode]>([
  ["canceled", Code.Canceled, "CANCELED"],
  ["unavailable", Code.Unavailable, "NODE_UNAVAILABLE"],
  ["unimplemented, as any 404 of a server that is not ours", Code.Unimplemented, "UNSUPPORTED"],
  ["deadline exceeded", Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
  ["not found", Code.NotFound, "OBJECT_NOT_FOUND"],
  ["resource exhausted", Code.ResourceExhausted, "OVERLOADED"],
  ["aborted, as for a broken stream", Code.Aborted, "NODE_UNAVAILABLE"],
  ["unauthenticated", Code.Unauthenticated, "UNAUTHENTICATED"],
  ["unknown", Code.Unknown, "INTERNAL"],
  ["data loss", Code.DataLoss, "CHUNK_CORRUPT"],
  ["out of range", Code.OutOfRange, "INVALID_RANGE"],
  ["invalid argument", Code.InvalidArgument, "INVALID_ARGUMENT"],
])("%s without a detail maps to the nearest code", (_name, code, expected) => {
  expect(ashlarErrorFrom(new ConnectError("not ours", code)).code).toBe(expected);
});

test("a detail with a reason that this version does not know falls back to the status", () => {
  const value = toBinary(ErrorInfoSchema, create(ErrorInfoSchema, { reason: 999 as ErrorReason }));
  const error = new ConnectError("from the future", Code.Unavailable);
  error.details.push({ type: ErrorInfoSchema.typeName, value });
  expect(ashlarErrorFrom(error).code).toBe("NODE_UNAVAILABLE");
});

test.each([
  "message size 5000000 is larger than configured readMaxBytes 4194304",
  "Received message larger than max (5000000 vs. 4194304)",
])("a message over a size limit is not retried as overload: %s", (message) => {
  expect(ashlarErrorFrom(new ConnectError(message, Code.ResourceExhausted)).code).toBe("OBJECT_TOO_LARGE");
});

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

test.each<[string, unknown]>([
  ["a refused connection", withCode("ECONNREFUSED")],
  ["a reset below fetch", new TypeError("fetch failed", { cause: withCode("ECONNRESET") })],
  ["Chromium's fetch", new TypeError("Failed to fetch")],
  ["a body cut off in Node", new TypeError("terminated", { cause: withCode("UND_ERR_SOCKET") })],
  ["a reset wrapped as Internal", new ConnectError("x", Code.Internal, undefined, undefined, withCode("ECONNRESET"))],
  ["an HTTP/2 reset", new ConnectError("http/2 stream closed with error code INTERNAL_ERROR (0x2)", Code.Internal)],
])("%s is NODE_UNAVAILABLE", (_name, error) => {
  const mapped = ashlarErrorFrom(error);
  expect([mapped.code, mapped.retryable, mapped.cause]).toEqual(["NODE_UNAVAILABLE", true, error]);
});

test("a bug of ours stays INTERNAL", () => {
  expect(ashlarErrorFrom(new TypeError("x is not a function")).code).toBe("INTERNAL");
  expect(ashlarErrorFrom(withCode("ERR_INVALID_URL")).code).toBe("INTERNAL");
  expect(ashlarErrorFrom("a string").code).toBe("INTERNAL");
});

test("an abort of the caller is CANCELED", () => {
  expect(ashlarErrorFrom(ConnectError.from(new DOMException("stop", "AbortError"))).code).toBe("CANCELED");
});

test("an Ashlar error passes through, also as the cause of a library's error", () => {
  const error = new AshlarError("STORE_CLOSED", "closed");
  expect(ashlarErrorFrom(error)).toBe(error);
  expect(ashlarErrorFrom(ConnectError.from(error))).toBe(error);
});
