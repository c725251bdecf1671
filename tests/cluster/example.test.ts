import { expect, test } from "vitest";
import { masked, readExampleReadme, runExample } from "../examples/run-example.ts";
import { LocalCluster } from "./local-cluster.ts";

test("the example survives a kill in each seat, reads what it wrote, and leaves nothing", {
  timeout: 240_000,
}, async () => {
  const cluster = await LocalCluster.create();
  try {
    const { commands, outputs } = readExampleReadme("cluster");
    const { exitCode, stdout, output } = await runExample(`${commands[0]} --mib 24 --path ${cluster.path}`).ended;
    expect(exitCode, output).toBe(0);
    const shown = (text: string): string => masked(text).replaceAll(/\d+ (%|MiB|of 3)/g, "<some> $1");
    expect(shown(stdout)).toBe(shown(outputs[0]!));
    const after = await cluster.run("status");
    expect(after.exitCode).toBe(5);
  } finally {
    await cluster.folder.remove();
  }
});
