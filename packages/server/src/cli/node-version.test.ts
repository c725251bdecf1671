import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NODE_MIN, nodeProblem } from "./node-version.ts";

test.each(["20.20.2", "22.19.9", "18.0.0"])("Node %s is refused, naming needed and running version", (version) => {
  expect(nodeProblem(version)).toBe(`needs Node 22.20 or later, this is ${version}`);
});

test.each(["22.20.0", "22.21.1", "24.0.0", "25.0.0-nightly2026"])("Node %s is accepted", (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});

test("the package asks for the same version", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { engines } = JSON.parse(text) as { engines: { node: string } };
  expect(engines.node).toBe(`>=${NODE_MIN.major}.${NODE_MIN.minor}`);
});
