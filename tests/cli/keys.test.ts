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
  for (const bucket of ["photos", "other"]) await as(apiKey, "mb", bucket);
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const as = (key: string, ...argv: string[]): ReturnType<typeof cli> =>
  cli(argv, { env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: key } });

async function create(...argv: string[]): Promise<string> {
  const made = await as(apiKey, "key", "create", ...argv);
  expect(made.stderr).toMatch(/^role \w+, .*it cannot be shown again/);
  expect(made.exitCode).toBe(0);
  return made.stdout.trim();
}

describe("API keys through a gateway", () => {
  test("reach one bucket and the keys under a prefix of it, in every command", async () => {
    const key = await create("--bucket", "photos", "--prefix", "users/1/", "--name", "one user");
    expect((await cli(["put", "-", "photos/users/1/a", "--quiet"], { ...asEnv(key), input: "hello" })).exitCode).toBe(
      0,
    );
    expect((await as(key, "get", "photos/users/1/a", "-")).stdout).toBe("hello");
    for (const argv of [
      ["ls", "photos"],
      ["ls"],
      ["mb", "third"],
      ["get", "photos/users/2/a", "-"],
      ["key", "ls"],
      ["key", "create"],
      ["token", "create", "--bucket", "photos"],
      ["token", "create", "--bucket", "other", "--prefix", "users/1/"],
    ]) {
      const run = await as(key, ...argv);
      expect([argv, run.exitCode]).toEqual([argv, 4]);
    }
    const token = await as(key, "token", "create", "--bucket", "photos", "--prefix", "users/1/x/");
    expect((await as(token.stdout.trim(), "ls", "photos/users/1/x/")).exitCode).toBe(0);
    const listed = (await as(apiKey, "key", "ls", "--json")).stdout.trim().split("\n");
    expect(listed.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ name: "one user", role: "readwrite", bucket: "photos", prefix: "users/1/" }),
    );
    expect((await as(apiKey, "key", "ls")).stdout).toContain("photos/users/1/");
  });

  test("end when they are deleted; wrong options are refused before a key is made", async () => {
    const key = await create("--expires-in", "1h", "--role", "readonly");
    expect((await as(apiKey, "key", "rm", key)).exitCode).toBe(0);
    expect((await as(apiKey, "key", "rm", key)).exitCode).toBe(2);
    for (const argv of [
      ["--bucket", "none-such"],
      ["--prefix", "a/"],
      ["--bucket", "photos", "--role", "admin"],
      ["--expires-in", "0s"],
      ["--expires-in", "soon"],
    ]) {
      const run = await as(apiKey, "key", "create", ...argv);
      expect([argv, run.exitCode === 0]).toEqual([argv, false]);
      expect(run.stderr).not.toContain("should not have happened");
    }
  });

  test("revoke the tokens that they made, and no others", async () => {
    const [mine, theirs] = [await create("--role", "readwrite"), await create("--role", "readwrite")];
    const token = (await as(mine, "token", "create", "--bucket", "photos")).stdout.trim();
    expect((await as(theirs, "token", "revoke", token)).exitCode).toBe(4);
    expect((await as(token, "token", "revoke", token)).exitCode).toBe(4);
    expect((await as(mine, "token", "revoke", "nonsense")).exitCode).toBe(2);
    // Before its first use, so that the gateway does not remember it as valid.
    expect((await as(mine, "token", "revoke", token)).exitCode).toBe(0);
    expect((await as(mine, "token", "revoke", token)).exitCode).toBe(0);
    const run = await as(token, "ls", "photos");
    expect([run.exitCode, run.stderr]).toEqual([4, expect.stringContaining("revoked")]);
    const another = (await as(mine, "token", "create", "--bucket", "photos")).stdout.trim();
    expect((await as(apiKey, "token", "revoke", another)).exitCode).toBe(0);
  });
});

const asEnv = (key: string): { readonly env: Record<string, string> } => ({
  env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: key },
});
