import { expect, test } from "vitest";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

const { commands, outputs } = readExampleReadme("curl");

test("the curl script passes its own checks, and prints what its README shows", { timeout: 120_000 }, async () => {
  const { exitCode, stdout, output } = await runExample(commands[0]!).ended;
  expect(exitCode, output).toBe(0);
  expect(masked(stdout)).toBe(masked(outputs[0]!));
});

test("the curl script goes to the server that the environment names, and leaves it as it was", async () => {
  await using folder = await createTempFolder();
  const server = await startServerProcess(["serve", "--path", folder.path, "--port", "0"]);
  const env = { ASHLAR_GATEWAY: server.url, ASHLAR_API_KEY: String(server.ready.apiKey) };
  try {
    const { exitCode, output } = await runExample(commands[0]!, env).ended;
    expect(exitCode, output).toBe(0);
    const keyless = await runExample(commands[0]!, { ASHLAR_GATEWAY: server.url }).ended;
    expect([keyless.exitCode, keyless.output]).toEqual([2, expect.stringMatching(/^ASHLAR_GATEWAY is set but.*\n$/)]);
    const wrong = await runExample(commands[0]!, { ...env, ASHLAR_API_KEY: "ashlar_0000000000000000_no" }).ended;
    expect(wrong.exitCode, wrong.output).not.toBe(0);
    const buckets = await fetch(`${server.url}/objects`, {
      headers: { authorization: `Bearer ${env.ASHLAR_API_KEY}` },
    });
    expect(await buckets.json()).toEqual({});
  } finally {
    await server.stop();
  }
}, 120_000);
