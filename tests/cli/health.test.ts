import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
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

test.each([
  ["the argument", (bad: string) => ({ argv: ["health", bad] })],
  ["--json", (bad: string) => ({ argv: ["health", bad, "--json"] })],
  ["--gateway", (bad: string) => ({ argv: ["health", "--gateway", bad] })],
  ["the variable", (bad: string) => ({ argv: ["health"], env: { ASHLAR_GATEWAY: bad } })],
] as const)("a URL with a password is refused in %s, and not shown", async (_, call) => {
  for (const bad of [url.replace("//", "//user:pa55word@"), "ftp://user:pa55word@h", "user:pa55word@h"]) {
    const { argv, ...more } = call(bad);
    const health = await cli(argv, more);
    expect(health.exitCode, bad).toBe(2);
    expect(health.stdout + health.stderr).not.toContain("pa55word");
  }
});

test("ring and health show a server's URL of an old row without its password", async () => {
  const path = folder.at("old");
  await cli(["mb", "box", "--path", path]);
  const metadata = await openSqliteMetadataStore({ path: join(path, "metadata.sqlite") });
  await metadata.registerServer({ serverId: "n1", url: "http://127.0.0.1:1", softwareVersion: "1" });
  await metadata.close();
  const database = new DatabaseSync(join(path, "metadata.sqlite"));
  database.exec("UPDATE storage_servers SET url = 'http://user:pa55word@127.0.0.1:1'");
  database.close();
  for (const argv of [["ring"], ["ring", "--json"]]) {
    const ring = await cli([...argv, "--path", path]);
    expect(ring.exitCode, ring.stderr).toBe(0);
    expect(ring.stdout).toContain("…127.0.0.1:1");
    expect(ring.stdout + ring.stderr).not.toContain("pa55word");
  }
});
