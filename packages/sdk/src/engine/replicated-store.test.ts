import { describe, expect, test } from "vitest";
import { createSuspects } from "./replicated-store.ts";

describe("suspects", () => {
  test("are suspect for five seconds, or until they answer", () => {
    let now = 1000;
    const advance = (ms: number): void => {
      now += ms;
    };
    const suspects = createSuspects({ nowMs: () => now, monotonicMs: () => now, sleep: async () => {} });
    expect(suspects.has("n1")).toBe(false);
    suspects.add("n1");
    suspects.add("n2");
    expect([suspects.has("n1"), suspects.has("n2"), suspects.has("n3")]).toEqual([true, true, false]);
    suspects.delete("n2");
    expect(suspects.has("n2")).toBe(false);
    advance(4999);
    expect(suspects.has("n1")).toBe(true);
    advance(1);
    expect(suspects.has("n1")).toBe(false);
  });
});
