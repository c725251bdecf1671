import { expect, test } from "vitest";
import { assertNodejsHasSqlite } from "./nodejs-version.ts";

test("a Node without SQLite is UNSUPPORTED, which no retry fixes, and says what is needed", () => {
  assertNodejsHasSqlite();
  let thrown: unknown;
  try {
    assertNodejsHasSqlite({ hasSqlite: false, version: "20.20.2" });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    code: "UNSUPPORTED",
    retryable: false,
    message: expect.stringMatching(/needs Node 22\.20 or later, this is 20\.20\.2/),
  });
});
