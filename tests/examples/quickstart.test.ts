import { expect, test } from "vitest";
import { createTempFolder } from "../support/temp-folder.ts";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

test("quickstart shows what its README shows, and finds its data again", { timeout: 120_000 }, async () => {
  await using folder = await createTempFolder();
  const { commands, outputs } = readExampleReadme("quickstart");
  for (let run = 1; run <= 2; run++) {
    const { exitCode, stdout, output } = await runExample(`${commands[0]} ${folder.at("store")}`).ended;
    expect(exitCode, output).toBe(0);
    expect(masked(stdout)).toBe(masked(outputs[0]!));
  }
});
