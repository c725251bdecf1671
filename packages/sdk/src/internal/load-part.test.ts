import { expect, it } from "vitest";
import { loadPart } from "./load-part.ts";

it("returns the loaded part, and reports a failure as retryable", async () => {
  expect(await loadPart(() => Promise.resolve(7))).toBe(7);
  const cause = new TypeError("Failed to fetch dynamically imported module");
  await expect(loadPart(() => Promise.reject(cause))).rejects.toMatchObject({
    code: "NODE_UNAVAILABLE",
    retryable: true,
    cause,
  });
});
