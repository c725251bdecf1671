import { afterAll, beforeAll, expect, test } from "vitest";
import { cli, type RunningCli } from "../support/cli.ts";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

let folder: TempFolder;
let server: RunningCli;
let url: string;
let apiKey: string;

beforeAll(async () => {
  folder = await createTempFolder();
  ({ server, url, apiKey } = await startServedStore(folder));
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

test("an API key that is refused is exit code 4, one that is missing only a note", async () => {
  expect((await cli(["health", url, "--api-key", apiKey])).exitCode).toBe(0);
  const refused = await cli(["health", url, "--api-key", "bogus"]);
  expect(refused.exitCode, refused.stdout).toBe(4);
  expect(refused.stdout).toMatch(/broken +the API key is refused/);
  const missing = await cli(["health", url]);
  expect(missing.exitCode).toBe(0);
  expect(missing.stdout).toContain("give an API key");
});

test("https:// on a port without TLS says so, in words", async () => {
  const health = await cli(["health", url.replace("http:", "https:")]);
  expect(health.exitCode).toBe(5);
  expect(health.stdout).toMatch(/TLS failed[\s\S]*use http:\/\//);
  expect(health.stdout).not.toContain("SSL routines");
});

test.each([["ftp://127.0.0.1"], ["./folder"], ["nonsense"]])("%s is no address of a server", async (target) => {
  const health = await cli(["health", target]);
  expect(health.exitCode).toBe(2);
  expect(health.stderr.includes("--path ./folder")).toBe(target === "./folder");
});
