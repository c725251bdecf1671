import { expect, test } from "vitest";
import { readExampleReadme, runExample } from "./run-example.ts";

test("the example's own tests pass, and are those that its README shows", { timeout: 120_000 }, async () => {
  const { commands, outputs } = readExampleReadme("in-tests");
  const { exitCode, stdout, output } = await runExample(commands[0]!, { NO_COLOR: "1" }).ended;
  expect(exitCode, output).toBe(0);
  for (const line of outputs[0]!.split("\n")) expect(stdout.replaceAll("avatars.test.ts > ", "")).toContain(line);
});
