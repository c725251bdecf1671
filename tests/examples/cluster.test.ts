import { expect, test } from "vitest";
import { LocalCluster } from "../cluster/local-cluster.ts";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

/** The output of the example without size, speed and the moment of the kill. */
function storyOf(text: string): string {
  return masked(text)
    .replaceAll(/\b\d+ MiB/g, "<size>")
    .replaceAll(/\b\d+ %/g, "<share>")
    .replaceAll(/acknowledged by \d of 3/g, "acknowledged by <n> of 3");
}

test("the file survives the kill of a node in both seats, as its README shows, and nothing keeps running", {
  timeout: 300_000,
}, async () => {
  const cluster = await LocalCluster.create();
  try {
    const { commands, outputs } = readExampleReadme("cluster");
    const { exitCode, stdout, output } = await runExample(`${commands[0]} --mib 40 --path ${cluster.path}`).ended;
    expect(exitCode, output).toBe(0);
    expect(storyOf(stdout)).toBe(storyOf(outputs[0]!));
    expect((await cluster.run("status")).exitCode).toBe(5);
  } finally {
    await cluster.folder.remove();
  }
});

test.each(["--mib abc", "--bogus"])("%s is answered with the usage", { timeout: 60_000 }, async (mistake) => {
  const { commands } = readExampleReadme("cluster");
  const { exitCode, output } = await runExample(`${commands[0]} ${mistake}`).ended;
  expect(exitCode, output).toBe(2);
  expect(output).toMatch(/^.*(abc|bogus).*\nusage: .*\n$/);
});
