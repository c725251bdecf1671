import { expect, test } from "vitest";
import * as LIMITS from "../limit-values.ts";
import { takenInput } from "./taken-input.ts";

test("each argument is read once, and nothing else", () => {
  const read: PropertyKey[] = [];
  const input = new Proxy({ bucket: "b", key: "k", password: "p" } as Record<string, unknown>, {
    get: (target, name) => {
      read.push(name);
      return target[name as string];
    },
  });
  expect(takenInput(input)).toEqual({ bucket: "b", key: "k" });
  expect(new Set(read).size).toBe(read.length);
  expect(read).not.toContain("password");
});

test("the members of arguments are taken too, to the last one", () => {
  const input = {
    keys: ["a", "b"],
    parts: [{ partNumber: 1, etag: "e" }],
    range: { offset: 1, length: 2 },
    metadata: { a: "b" },
    body: ["slices", "stay"],
  };
  const taken = takenInput(input);
  expect(taken).toEqual(input);
  for (const name of ["keys", "parts", "range", "metadata"] as const) expect(taken[name]).not.toBe(input[name]);
  expect(taken.parts[0]).not.toBe(input.parts[0]);
  expect(taken.body).toBe(input.body);
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["null", null],
  ["a text", "b"],
  [
    "an input whose getter throws",
    {
      get bucket() {
        throw new Error("no");
      },
    },
  ],
])("%s is given back, for the checks to say what is wrong", (_, input) => {
  expect(takenInput(input)).toBe(input);
});

test("an array that has only a length is not copied", () => {
  const keys = new Array(2 ** 32 - 1);
  expect(takenInput({ keys }).keys).toBe(keys);
  const parts = Array.from({ length: LIMITS.PART_NUMBER_MAX }, (_, index) => index);
  expect(takenInput({ parts }).parts).not.toBe(parts);
});
