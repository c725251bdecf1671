import { chmod } from "node:fs/promises";
import { expect, test } from "vitest";
import { createTempFolder } from "../support/temp-folder.ts";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

/** What the example tells, without size, speed and the moment of the kill. */
function storyOf(text: string): string {
  return masked(text)
    .replaceAll(/\b\d+ MiB/g, "<size>")
    .replaceAll(/\b\d+ %/g, "<share>")
    .replaceAll(/acknowledged by \d of 3/g, "acknowledged by <n> of 3");
}

test("the file survives the kill of a node in both seats, as its README shows", { timeout: 300_000 }, async () => {
  await using folder = await createTempFolder();
  await chmod(folder.path, 0o755); // started by root, PostgreSQL runs as a user who must get in
  const { commands, outputs } = readExampleReadme("cluster");
  const { exitCode, stdout, output } = await runExample(`${commands[0]} --mib 40 --path ${folder.at("cluster")}`).ended;
  expect(exitCode, output).toBe(0);
  expect(storyOf(stdout)).toBe(storyOf(outputs[0]!));
});
