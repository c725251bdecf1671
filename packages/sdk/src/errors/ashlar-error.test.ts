import { describe, expect, test } from "vitest";
import { AshlarError, abortError, ERROR_CODES, type ErrorCode, isErrorCode, throwIfAborted } from "./index.ts";

describe("an Ashlar error", () => {
  test("carries code, message, details and cause", () => {
    const cause = new Error("below");
    const error = new AshlarError("DISK_FULL", "full", { cause, details: { path: "/data" } });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "AshlarError", code: "DISK_FULL", message: "full", cause });
    expect(error.details).toEqual({ path: "/data" });
    expect(Object.isFrozen(error.details)).toBe(true);
    expect("cause" in new AshlarError("DISK_FULL", "full")).toBe(false);
  });

  test("is recognised by its marker, so also when a second copy of the package made it", () => {
    const error = new AshlarError("DISK_FULL", "full");
    expect(AshlarError.is(error)).toBe(true);
    expect(AshlarError.is(error, "DISK_FULL")).toBe(true);
    expect(AshlarError.is(error, "INTERNAL")).toBe(false);
    const foreign = Object.assign(new Error("copy"), { [Symbol.for("ashlar.error")]: true, code: "DISK_FULL" });
    expect(AshlarError.is(foreign, "DISK_FULL")).toBe(true);
    expect(AshlarError.is({ code: "DISK_FULL" })).toBe(false);
    expect(AshlarError.is(undefined)).toBe(false);
  });

  test("says whether the same call may succeed later", () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      expect(new AshlarError(code, "x").retryable, code).toBe(ERROR_CODES[code].retry === "backoff");
    }
    expect(new AshlarError("NODE_UNAVAILABLE", "x").retryable).toBe(true);
    expect(new AshlarError("DISK_FULL", "x").retryable).toBe(false);
  });

  test("is made of anything thrown", () => {
    const own = new AshlarError("DISK_FULL", "full");
    expect(AshlarError.from(own)).toBe(own);
    expect(AshlarError.from(new DOMException("x", "AbortError")).code).toBe("CANCELED");
    expect(AshlarError.from(new DOMException("x", "TimeoutError")).code).toBe("DEADLINE_EXCEEDED");
    const bug = new TypeError("bug");
    expect(AshlarError.from(bug)).toMatchObject({ code: "INTERNAL", message: "bug", cause: bug });
    expect(AshlarError.from(bug, "NODE_UNAVAILABLE").code).toBe("NODE_UNAVAILABLE");
    expect(AshlarError.from("text")).toMatchObject({ code: "INTERNAL", cause: "text" });
  });
});

describe("the error of an aborted signal", () => {
  test("is CANCELED, DEADLINE_EXCEEDED for a timeout, or the reason itself if that is an Ashlar error", () => {
    const own = new AshlarError("STORE_CLOSED", "closed");
    expect(abortError(AbortSignal.abort()).code).toBe("CANCELED");
    expect(abortError(AbortSignal.abort("why"))).toMatchObject({ code: "CANCELED", cause: "why" });
    expect(abortError(AbortSignal.abort(new DOMException("x", "TimeoutError"))).code).toBe("DEADLINE_EXCEEDED");
    expect(abortError(AbortSignal.abort(own))).toBe(own);
  });

  test("is thrown by throwIfAborted, which lets others pass", () => {
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow(expect.objectContaining({ code: "CANCELED" }));
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
  });
});

describe("the table of codes", () => {
  test("gives every code a meaning in every API", () => {
    for (const [code, row] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(row.http).toBeGreaterThanOrEqual(300);
      expect(row.http).toBeLessThan(600);
      expect(isErrorCode(code)).toBe(true);
    }
    for (const other of ["toString", "", undefined, 5]) expect(isErrorCode(other)).toBe(false);
  });

  test("never retries by itself what the caller did wrong", () => {
    for (const row of Object.values(ERROR_CODES)) {
      if (row.http >= 400 && row.http < 409) expect(row.retry).not.toBe("backoff");
    }
  });
});
