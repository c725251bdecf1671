import { AshlarError } from "@ashlar/sdk/errors";
import { describe, expect, test } from "vitest";
import { classifyPgError, fromPgError } from "./postgres-error.ts";

const coded = (code: string): Error => Object.assign(new Error(`driver error ${code}`), { code });

describe("driver errors", () => {
  test("of two transactions that met are tried again from the start", () => {
    for (const code of ["40001", "40P01", "23505"]) expect(classifyPgError(coded(code))).toBe("conflict");
  });

  test("of a server that is away are tried again later", () => {
    for (const code of ["57P01", "57P03", "08006", "08001", "53300", "ECONNREFUSED", "ECONNRESET", "EPIPE"]) {
      expect(classifyPgError(coded(code))).toBe("unavailable");
    }
    for (const message of [
      "Connection terminated unexpectedly",
      "Client has encountered a connection error and is not queryable",
      "timeout exceeded when trying to connect",
      "Connection terminated due to connection timeout",
    ]) {
      expect(classifyPgError(new Error(message))).toBe("unavailable");
    }
    expect(classifyPgError(new AggregateError([coded("ECONNREFUSED"), coded("ECONNREFUSED")]))).toBe("unavailable");
  });

  test("of our own doing are final", () => {
    for (const error of [
      coded("42601"),
      coded("22021"),
      new Error("x"),
      "text",
      new AshlarError("BUCKET_NOT_FOUND", "x"),
    ]) {
      expect(classifyPgError(error)).toBe("final");
    }
  });

  test("become errors of ours with the cause kept", () => {
    const codes = [
      ["ECONNREFUSED", "METADATA_UNAVAILABLE"],
      // This process has no file descriptor left: it says nothing about the database.
      ["EMFILE", "OVERLOADED"],
      ["ENFILE", "OVERLOADED"],
      ["40001", "METADATA_UNAVAILABLE"],
      ["53100", "DISK_FULL"],
      ["53200", "METADATA_UNAVAILABLE"],
      ["28P01", "METADATA_UNAVAILABLE"],
      ["3D000", "METADATA_UNAVAILABLE"],
      ["42P07", "STORE_INCOMPATIBLE"],
      ["42601", "INTERNAL"],
    ] as const;
    for (const [code, expected] of codes) {
      const cause = coded(code);
      expect(fromPgError(cause)).toMatchObject({ code: expected, cause });
    }
    const own = new AshlarError("PRECONDITION_FAILED", "x");
    expect(fromPgError(own)).toBe(own);
  });
});
