import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
  writeFileSync(folder.at("note"), "a note");
  await as(apiKey, "mb", "photos");
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const as = (key: string, ...argv: string[]): ReturnType<typeof cli> =>
  cli(argv, { env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: key } });

async function create(...argv: string[]): Promise<string> {
  const made = await as(apiKey, "token", "create", "--bucket", "photos", ...argv);
  expect(made.stderr).toMatch(/^valid until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
  expect(made.exitCode).toBe(0);
  return made.stdout.trim();
}

describe("token create", () => {
  test("gives a token that goes where an API key goes, in its bucket and prefix only", async () => {
    const token = await create("--prefix", "users/1/");
    expect((await as(token, "put", folder.at("note"), "photos/users/1/note", "--quiet")).exitCode).toBe(0);
    expect((await as(token, "ls", "photos/users/1/")).stdout).toContain("note");
    const outside = await as(token, "ls", "photos");
    expect([outside.exitCode, outside.stderr]).toEqual([expect.any(Number), expect.stringContaining("users/1/")]);
    expect(outside.exitCode).not.toBe(0);
    expect(outside.stderr).toContain("ashlar ls photos/users/1/");
    expect(outside.stderr).not.toContain("key create");
    expect((await as(token, "token", "create", "--bucket", "photos")).exitCode).not.toBe(0);
  });

  test("--read-only writes nothing", async () => {
    const token = await create("--read-only");
    expect((await as(token, "ls", "photos")).exitCode).toBe(0);
    const put = await as(token, "put", folder.at("note"), "photos/x", "--quiet");
    expect(put.stderr).toContain("an access token of role readonly does not allow writing");
    expect(put.stderr).not.toContain("key create");
  });

  test("says how to get a new token when one has expired", async () => {
    const token = await create("--expires-in", "1s");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const run = await as(token, "ls", "photos");
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toContain("ashlar token create");
    expect(run.stderr).not.toContain("key create");
  });

  test("--json tells when the token expires, which --expires-in sets", async () => {
    const before = Date.now();
    const made = await as(apiKey, "token", "create", "--bucket", "photos", "--expires-in", "2h", "--json");
    const { token, expiresAtMs } = JSON.parse(made.stdout) as { token: string; expiresAtMs: number };
    expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
    expect(Math.round((expiresAtMs - before) / 60_000)).toBe(120);
    const byDefault = await as(apiKey, "token", "create", "--bucket", "photos", "--json");
    expect(
      Math.round(((JSON.parse(byDefault.stdout) as { expiresAtMs: number }).expiresAtMs - Date.now()) / 60_000),
    ).toBe(15);
  });

  test.each<[string, string[], string]>([
    ["no bucket", [], "--bucket"],
    ["a bucket that is not there", ["--bucket", "nowhere"], "nowhere"],
    ["an invalid life", ["--bucket", "photos", "--expires-in", "soon"], "--expires-in"],
    ["a life of more than 12 hours", ["--bucket", "photos", "--expires-in", "13h"], "from 1s to 12h"],
  ])("refuses %s", async (_, argv, hint) => {
    const refused = await as(apiKey, "token", "create", ...argv);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain(hint);
    expect(refused.stdout).toBe("");
  });
});
