import { expect, test } from "vitest";
import { readOptions } from "./options.ts";
import { ROWS } from "./rows.ts";

test("a complete run writes results, a partial or a quick one only into a given folder", () => {
  expect(readOptions([])).toMatchObject({ complete: true, rounds: 1, out: "bench/results" });
  for (const args of [["--quick"], ["--only", "grpc"]]) {
    expect(readOptions(args)).toMatchObject({ complete: false, out: undefined });
    expect(readOptions([...args, "--out", "x"])).toMatchObject({ complete: false, out: "x" });
  }
});

test("rows have ids of their own, and --only picks among them", () => {
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length);
  const { only } = readOptions(["--only", "^one/gateway/[^/]+$"]);
  expect(ROWS.filter(({ id }) => only.test(id))).toHaveLength(6);
});

test("nonsense is refused", () => {
  for (const args of [["--rounds", "0"], ["--size", "100"], ["--size", "x"], ["--only", "("], ["--fast"]]) {
    expect(() => readOptions(args), args.join(" ")).toThrow();
  }
});
