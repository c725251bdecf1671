import { expect, test } from "vitest";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

/** The tree without what differs from run to run: times, which node comes first, and whether the gateway looked at the cluster anew just then. */
function treeOf(text: string): string {
  return masked(text)
    .replaceAll(/[├└│─]/g, " ")
    .replaceAll(/node-\d/g, "node-<n>")
    .split("\n")
    .filter((line) => !line.includes("sql.clusterSnapshot"))
    .map((line) => line.replaceAll(/(?<=\S) +/g, " "))
    .join("\n");
}

test("tracing prints the trees that its README shows", { timeout: 300_000 }, async () => {
  const { commands, outputs } = readExampleReadme("tracing");
  const { exitCode, stdout, output } = await runExample(commands[0]!).ended;
  expect(exitCode, output).toBe(0);
  expect(treeOf(stdout)).toBe(treeOf(outputs[0]!));
});
