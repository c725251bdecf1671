import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NODEJS_MIN, nodejsProblem } from "./nodejs-version.ts";

test.each(["20.20.2", "22.19.9", "18.0.0"])("Node %s is refused, naming needed and running version", (version) => {
  expect(nodejsProblem(version)).toBe(`needs Node 22.20 or later, this is ${version}`);
});

test.each(["22.20.0", "22.21.1", "24.0.0", "25.0.0-nightly2026"])("Node %s is accepted", (version) => {
  expect(nodejsProblem(version)).toBeUndefined();
});

test("the package asks for the same version", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { engines } = JSON.parse(text) as { engines: { node: string } };
  expect(engines.node).toBe(`>=${NODEJS_MIN.major}.${NODEJS_MIN.minor}`);
});
